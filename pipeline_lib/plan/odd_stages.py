"""Cost of the study odd one out: baselines of all tasks, sweeps of the one that is swept.

L layers, H heads; R replacements; places: the swapped name, those that stay, the query.
"""

from collections.abc import Callable, Iterable
from statistics import fmean

from pipeline_lib.plan import assumptions as assumed
from pipeline_lib.plan.odd_prompts import (
    Layout,
    Work,
    all_pairs,
    classes_of,
    controls_of,
    layouts,
    n_candidates,
    own_pairs,
    swept_task,
)
from pipeline_lib.plan.prompt_layout import Place
from pipeline_lib.plan.sister_work import (
    captured_bytes,
    engine_bytes,
    interval_seconds,
    parts_flops,
    swept_flops,
)
from pipeline_lib.plan.stages import Stage, model_stage
from pipeline_lib.plan.storage import Dataset, artifact_bytes
from pipeline_lib.stimuli.odd_one_out import Task

NOISE_PROMPTS = 8
PAIR_BYTES, LOGIT_BYTES, LEFT_OUT_BYTES, SUMMARY_BYTES = 245, 64, 87, 310  # rows as text
SWEEP_BYTES, NECESSITY_BYTES, GENERALITY_BYTES = 118, 123, 144
CHOICE_BYTES, CRITICAL_BYTES, COST_ROW_BYTES = 100, 150, 75


def mean_over_slots(work: Work, task: Task, cost: Callable[[Layout], int]) -> float:
    """Mean of a cost over the slots that the swapped name can have."""
    return fmean(cost(layout) for layout in layouts(work.settings, task))


def on_task(work: Work, task: Task) -> Work:
    """The same with prompts of one task alone."""
    return work.reading(layouts(work.settings, task)[0].n_tokens)


def forward(work: Work, task: Task) -> int:
    """A pass of one prompt of a task."""
    return work.forward(layouts(work.settings, task)[0].n_tokens)


def odd_one_out_baselines(work: Work) -> Stage:
    """Both prompts of every pair of every task, and the noise floor of some.

    Disk: the pairs with their prompts and all wrong answers, a row for each candidate, and those
    left out before (`assumptions.LEFT_OUT`).
    """
    settings = work.settings
    counts = {task: all_pairs(settings, task) for task in settings.tasks}
    disk, kinds = CHOICE_BYTES, 0
    for task, n in counts.items():
        words = list(classes_of(work).words(settings, task))
        wrong = sum(len(word) + 1 for word in words) or 2 * (assumed.NAME_LETTERS + 1)
        letters = 2 * layouts(settings, task)[0].n_letters + wrong
        rows = PAIR_BYTES + letters + n_candidates(work, task) * LOGIT_BYTES
        disk += n * rows + round(assumed.LEFT_OUT * n) * LEFT_OUT_BYTES
        kinds += 2 + len(controls_of(task))
    runs = {task: 2 * n + 2 * min(NOISE_PROMPTS, together(n)) for task, n in counts.items()}
    most = together(max(counts.values()))
    return model_stage(
        work,
        "odd_one_out_baselines",
        jobs=1,
        flops=sum(n * forward(work, task) for task, n in runs.items()),
        disk_bytes=disk + kinds * SUMMARY_BYTES,
        array_bytes=engine_bytes(work, most, 0),
        n_rows=most,
        seconds=sum(counts.values()) * assumed.PAIR_SECONDS,
    )


def together(n_pairs: int) -> int:
    """Pairs of one length and one place of the swapped name, which run together."""
    return max(1, round(assumed.SAME_LENGTH * n_pairs))


def sweep_sizes(work: Work) -> tuple[int, int, int, int]:
    """Pairs by layer, by component, of the test of generality, of each kind of control there."""
    sweep, task = work.settings.sweep, swept_task(work)
    passing = work.passing(own_pairs(work.settings, task))
    by_layer, general = min(sweep.pairs, passing), min(sweep.generality_pairs, passing)
    controls = min(sweep.control_pairs, work.settings.grid.controls)
    return by_layer, min(sweep.component_pairs, by_layer), general, controls


def tested_layers(work: Work) -> list[int]:
    """Every so many layers, and the critical one."""
    critical = work.depth(assumed.CRITICAL_DEPTH)
    return sorted({*range(0, work.shape.n_layers, work.settings.sweep.every), critical})


def critical_layers(work: Work) -> range:
    """The window that ends in the critical layer."""
    last = work.depth(assumed.CRITICAL_DEPTH)
    return range(max(0, last + 1 - work.settings.sweep.window), last + 1)


def odd_one_out_sweeps(work: Work) -> Stage:
    """Necessity and sufficiency of layers, heads and MLPs; generality with controls.

    A sweep of n pairs takes n runs of the source (necessity: twice, once for the values of all
    prompts), n clean runs, the patches. Disk: float32 logits of all candidates of the sweeps.
    """
    task, shape = swept_task(work), work.shape
    by_layer, by_part, general, controls = sweep_sizes(work)
    window, every = critical_layers(work), tested_layers(work)
    n_replaced = len(work.settings.sweep.replacements)

    def residual(layers: Iterable[int], places: Callable[[Layout], list[Place]]) -> float:
        chosen = list(layers)
        return mean_over_slots(
            work, task, lambda at: swept_flops(shape, at.n_tokens, chosen, places(at), "residual")
        )

    def parts(layers: Iterable[int]) -> float:
        chosen = list(layers)
        return mean_over_slots(
            work, task, lambda at: parts_flops(shape, at.n_tokens, chosen, _outer(at))
        )

    whole = residual(range(shape.n_layers), lambda at: at.places)
    tested = general + controls * len(controls_of(task))
    patched = by_layer * whole + by_part * parts(range(shape.n_layers))
    patched += n_replaced * by_layer * (whole + parts(window))
    patched += 2 * tested * residual(every, _outer)
    runs = 3 * (by_layer + by_part) + n_replaced * 2 * 3 * by_layer + 6 * tested
    cells = _logit_sets(work, by_layer, by_part)
    groups = 1 + len(classes_of(work).supers) + len(controls_of(task))
    n_parts = 2 * (shape.n_heads + 1)
    swept = shape.n_layers * (3 + n_parts)
    needed = n_replaced * (3 * shape.n_layers + len(window) * n_parts)
    rows = groups * (1 + 2 * 2 * len(every))
    disk = swept * SWEEP_BYTES + needed * NECESSITY_BYTES + rows * GENERALITY_BYTES
    n_sweeps = 2 + 2 * n_replaced + 2 * (1 + len(controls_of(task)))
    disk += CRITICAL_BYTES + n_sweeps * COST_ROW_BYTES
    width = shape.n_heads * shape.d_head + shape.d_mlp
    group = together(by_layer)
    reading = on_task(work, task)
    return model_stage(
        reading,
        "odd_one_out_sweeps",
        jobs=1,
        flops=round(patched) + runs * forward(work, task),
        disk_bytes=disk + artifact_bytes(cells),
        array_bytes=engine_bytes(reading, group, group * len(window) * n_parts)
        + captured_bytes(reading, 2 * by_layer, width),
        n_rows=together(general),
        seconds=interval_seconds(swept + needed + rows, by_layer),
    )


def _outer(at: Layout) -> list[Place]:
    """The swapped name and the query."""
    return [at.swapped, at.query]


def _logit_sets(work: Work, by_layer: int, by_part: int) -> list[Dataset]:
    """Logits of the candidates before and after each sweep."""
    shape, n = work.shape, n_candidates(work, swept_task(work))
    residual = (by_layer, 3, shape.n_layers, 1, n)
    window = (by_layer, 2, len(critical_layers(work)), shape.n_heads + 1, n)
    after = [residual, (by_part, 2, shape.n_layers, shape.n_heads + 1, n)]
    after += [residual, window] * len(work.settings.sweep.replacements)
    return [Dataset(size) for cells in after for size in (cells, (cells[0], n))]

"""Cost of the study bayes: answers, belief probes, heads patched, residuals steered.

D draws, L layers, H heads, d = d_model; T tokens of a template's prompts.
"""

from math import comb

import numpy as np

from pipeline_lib.config.bayes import BayesStudy
from pipeline_lib.plan import assumptions as assumed
from pipeline_lib.plan import sister_work
from pipeline_lib.plan.prompt_layout import Place, count_tokens
from pipeline_lib.plan.sister_work import SisterWork, engine_bytes, interval_seconds, patch_flops
from pipeline_lib.plan.stages import Stage, model_stage
from pipeline_lib.plan.storage import Dataset, artifact_bytes
from pipeline_lib.stimuli.bernoulli import BernoulliTask, balanced_counts

Work = SisterWork[BayesStudy]

ANSWER_BYTES, LENS_BYTES, LAYER_BYTES, SCORE_BYTES = 115, 77, 160, 280  # rows as text
PROBE_SCORE_BYTES, PREDICTION_BYTES, PAIR_BYTES, SWEEP_BYTES, EDIT_BYTES = 90, 64, 114, 118, 138
N_RULES, N_MEASURES, N_LABELS = 3, 4, 4  # rows: rules scored; tests of a probe; labels of each
LOGIT_COPIES = 24  # bytes of a logit of a batch: itself, twice in float64, sums


def task_of(settings: BayesStudy) -> BernoulliTask:
    """The task as the stages have it."""
    return BernoulliTask.of(**settings.params("probabilities", "priors", "outcomes", "draws"))


def tokens_of(settings: BayesStudy, template: str) -> tuple[int, int]:
    """Tokens of a template's prompts, and the position of the first draw."""
    text = task_of(settings).text("x" * settings.draws, template)
    start = text.rindex(" Sequence: ") + len(" Sequence: ")
    return count_tokens(text), count_tokens(text[:start])


def longest(work: "Work") -> int:
    """Tokens of the longest prompts that a stage runs."""
    settings = work.settings
    used = {*settings.templates, settings.heads.template}
    used |= {settings.probe.train_template, settings.probe.test_template}
    return max(tokens_of(settings, template)[0] for template in used)


def bayes_answers(work: Work) -> Stage:
    """A pass of each prompt: orders of every number of X, under each template.

    Disk: a row for each prompt, and one for each of its layers. Memory: residuals and logits.
    """
    settings, n_layers = work.settings, work.shape.n_layers
    n = sum(min(settings.permutations, comb(settings.draws, k)) for k in range(settings.draws + 1))
    n_templates = len(settings.templates)
    rows = n * (ANSWER_BYTES + n_layers * LENS_BYTES) + n_layers * LAYER_BYTES
    resid = 2 * n * n_layers * work.shape.d_model * 4
    return model_stage(
        work,
        "bayes_answers",
        jobs=1,
        flops=n * sum(work.forward(tokens_of(settings, name)[0]) for name in settings.templates),
        disk_bytes=n_templates * (rows + N_RULES * SCORE_BYTES),
        array_bytes=resid + n * work.shape.d_vocab * LOGIT_COPIES,
        n_rows=n,
        seconds=n_templates * interval_seconds(2 * n_layers + N_RULES * 2, n),
    )


def bayes_probe(work: Work) -> Stage:
    """A pass of each training and test prompt; ridge fits at every layer probed.

    A fit of all prompts, one without each number of X, one for the direction. Disk: weights and
    directions [layer, d], scores, predictions.
    """
    probe, shape = work.settings.probe, work.shape
    n_layers = len(range(shape.n_layers - 1, -1, -probe.layer_stride))
    passes = sum(
        n * work.forward(tokens_of(work.settings, template)[0])
        for n, template in ((probe.train, probe.train_template), (probe.test, probe.test_template))
    )
    fits = n_layers * (work.settings.draws + 3)
    weights = Dataset((n_layers, shape.d_model), "float64")
    disk = artifact_bytes([weights, weights, Dataset((n_layers,), "float64")])
    disk += n_layers * N_MEASURES * N_LABELS * PROBE_SCORE_BYTES
    prompts = probe.train + probe.test
    return model_stage(
        work,
        "bayes_probe",
        jobs=1,
        flops=passes + fits * ridge_flops(probe.train, shape.d_model, 1 + 2 * probe.controls),
        disk_bytes=disk + N_MEASURES // 2 * prompts * PREDICTION_BYTES,
        array_bytes=2 * prompts * n_layers * shape.d_model * 4
        + prompts * shape.d_vocab * LOGIT_COPIES // work.settings.draws,
        n_rows=prompts,
        seconds=interval_seconds(n_layers * N_MEASURES, prompts),
    )


def ridge_flops(n: int, d: int, n_targets: int) -> int:
    """One fit of n rows of d features: products of all rows or all features, weights."""
    return 2 * n * d * min(n, d) + 2 * n * d * n_targets


def bayes_heads(work: Work) -> Stage:
    """Both prompts of each pair, the noise floor, and every head patched in pairs that pass.

    At all positions from the first draw on together, from the clean prompt and from the control's;
    in some pairs at one position at a time. Every pair of a sweep has a source run and a clean run.
    """
    settings, shape = work.settings.heads, work.shape
    n_tokens, first = tokens_of(work.settings, settings.template)
    n = min(settings.pairs, comb(work.settings.draws, settings.corrupt))
    swept = work.passing(n)
    few, n_places = min(settings.position_pairs, swept), n_tokens - first
    together = sister_work.swept_flops(
        shape, n_tokens, range(shape.n_layers), [Place(first, n_places)], "head"
    )
    single = sister_work.swept_flops(
        shape, n_tokens, range(shape.n_layers), map(Place, range(first, n_tokens)), "head"
    )
    heads = shape.n_layers * shape.n_heads
    runs = 4 * n + 2 * (2 * swept + few)
    rows = heads * (2 + n_places)
    work = work.reading(n_tokens)
    return model_stage(
        work,
        "bayes_heads",
        jobs=1,
        flops=runs * work.forward(n_tokens) + shape.n_heads * (2 * swept * together + few * single),
        disk_bytes=n * PAIR_BYTES + rows * SWEEP_BYTES,
        array_bytes=engine_bytes(work, n, heads * n_places),
        n_rows=n,
        seconds=interval_seconds(2 * heads, swept) + interval_seconds(n_places * heads, few),
    )


def bayes_steering(work: Work) -> Stage:
    """Every edit of each prompt, at the last position of one layer; a pass and a clean run each."""
    settings = work.settings.steering
    n_tokens = tokens_of(work.settings, work.settings.probe.test_template)[0]
    n = min(settings.prompts, work.settings.probe.test)
    edits = round(n * allowed_changes(work.settings)) * (1 + settings.random_directions)
    layer, last = work.depth(assumed.PROBE_DEPTH), Place(n_tokens - 1)
    each = patch_flops(work.shape, n_tokens, layer, last, "residual")
    return model_stage(
        work,
        "bayes_steering",
        jobs=1,
        flops=2 * n * work.forward(n_tokens) + edits * each,
        disk_bytes=edits * EDIT_BYTES,
        array_bytes=engine_bytes(work, n, edits // n_tokens) + 4 * edits * work.shape.d_model * 8,
        n_rows=n,
    )


def allowed_changes(settings: BayesStudy) -> float:
    """Changes that leave the belief between 0 and 1, of a test prompt on average."""
    n_x = np.arange(settings.draws + 1)
    belief = task_of(settings).hypotheses.belief(n_x, settings.draws - n_x)
    reached = belief[:, None] + np.array(settings.steering.changes)
    counts = balanced_counts(settings.draws, settings.probe.test)
    return float(((reached >= 0) & (reached <= 1)).sum(1) @ counts / counts.sum())


def figures(work: Work) -> Stage:
    """Figures of the tables: the lens, scores and predictions of probes, heads, their control."""
    shape, probe = work.shape, work.settings.probe
    heads = shape.n_layers * shape.n_heads * 250
    places = work.settings.heads.top * work.settings.draws * 250
    lens = len(work.settings.templates) * shape.n_layers * (LAYER_BYTES + 600)
    probes = (probe.train + probe.test) * 2 * PREDICTION_BYTES
    probes += shape.n_layers * N_MEASURES * N_LABELS * PROBE_SCORE_BYTES
    return sister_work.figures(work, heads + places + lens + probes)


STAGES = (bayes_answers, bayes_probe, bayes_heads, bayes_steering, figures)

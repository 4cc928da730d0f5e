"""Cost of the stages that do not run the model: tables, scores, figures."""

from pipeline_lib.figures.catalog import (
    CHECKPOINT_FIGURES,
    FIGURES,
    STUDY_FIGURES,
    depends_on_rule,
    figures_of_operator,
)
from pipeline_lib.plan import assumptions as assumed
from pipeline_lib.plan.rival_stages import plotted_bytes
from pipeline_lib.plan.sizes import OperatorSizes
from pipeline_lib.plan.stages import ModelWork, Stage, Work, table_stage
from pipeline_lib.plan.storage import Dataset, artifact_bytes

SCORE_BLOCK = 64  # neurons whose maps are held at once
MANIFEST_BYTES = 900


def fetch_model(work: ModelWork) -> Stage:
    """Download of the weights of a hub model and of its checkpoints."""
    n_bytes = work.n_models * work.disk_weight_bytes
    seconds = n_bytes / assumed.DOWNLOAD_BYTES_PER_SECOND
    return table_stage("fetch_model", jobs=work.n_models, disk_bytes=n_bytes, seconds=seconds)


def describe_model(work: ModelWork) -> Stage:
    """Checksums of the weights, also of the checkpoints, read once."""
    n = work.n_models
    seconds = n * work.disk_weight_bytes / assumed.LOAD_BYTES_PER_SECOND
    return table_stage("describe_model", jobs=n, disk_bytes=n * MANIFEST_BYTES, seconds=seconds)


def prompt_context(work: Work) -> Stage:
    """The tokenizer's numbers and the solved examples, a small JSON file."""
    examples = work.study.prompts.few_shot * len(work.sizes)
    return table_stage(
        "prompt_context",
        jobs=1,
        disk_bytes=104 + 40 * examples,
        library_bytes=assumed.LIBRARY_BYTES,
    )


def split_prompts(work: Work) -> Stage:
    """Correct prompts, each in discovery.csv or evaluation.csv."""
    header = len("operator,a,b,answer\n")
    disk = sum(
        2 * header + (size.n_discovery + size.n_evaluation) * size.prompt_bytes
        for size in work.sizes
    )
    return table_stage(
        "split_prompts",
        jobs=len(work.sizes),
        disk_bytes=disk,
        array_bytes=_most_prompts(work) * assumed.PROMPT_BYTES,
    )


def draw_counterfactuals(work: Work) -> Stage:
    """A CSV row for each discovery prompt with its counterfactual, for each seed."""
    header = len("operator,a,b,answer,cf_operator,cf_a,cf_b,cf_answer\n")
    other = sum(size.prompt_bytes for size in work.sizes) / len(work.sizes)
    rows = sum(size.n_discovery * (size.prompt_bytes + other) for size in work.sizes)
    return table_stage(
        "draw_counterfactuals",
        jobs=len(work.sizes) * work.n_seeds,
        disk_bytes=work.n_seeds * (rows + header * len(work.sizes)),
    )


def rank_neurons(work: Work) -> Stage:
    """layer, neuron, rank and importance (about 18 characters) of the top neurons."""
    row = 18 + len(",,,\n") + sum(map(_digits, (work.shape.n_layers - 1, work.shape.d_mlp - 1)))
    row += _digits(work.study.neurons.per_layer - 1)
    n_effects = max(size.n_discovery for size in work.sizes) * len(work.study.attribution.seeds)
    return table_stage(
        "rank_neurons",
        jobs=len(work.sizes),
        disk_bytes=len(work.sizes) * work.n_neurons * row,
        array_bytes=3 * n_effects * work.shape.n_layers * work.shape.d_mlp * 8,
    )


def score_heuristics(work: Work) -> Stage:
    """Scores of both maps from both ends: four float32 [neurons, heuristics], and the prompts.

    Memory: K and KV maps of a block of neurons, and all scores twice.
    """
    neurons = work.n_neurons

    def file_bytes(size: OperatorSizes) -> int:
        scores = [Dataset((neurons, size.n_heuristics))] * 4
        index = [Dataset((size.n_valid,), "int64")] * 3 + [Dataset((neurons,), "int64")] * 2
        return artifact_bytes([*scores, *index], size.heuristic_names)

    block = min(neurons, SCORE_BLOCK) * _most_prompts(work) * 4 * 3
    scores = 2 * 4 * 4 * neurons * max(size.n_heuristics for size in work.sizes)
    maps = neurons * sum(size.n_valid for size in work.sizes)
    return table_stage(
        "score_heuristics",
        jobs=len(work.sizes),
        disk_bytes=sum(map(file_bytes, work.sizes)),
        array_bytes=block + scores,
        seconds=maps * assumed.SCORE_SECONDS,
    )


def match_heuristics(work: Work) -> Stage:
    """The pairs above the threshold as CSV rows; their number is expected, not known."""
    rows = work.expected.matches_per_neuron * work.n_neurons
    scores = 4 * 4 * work.n_neurons * max(size.n_heuristics for size in work.sizes)
    return table_stage(
        "match_heuristics",
        jobs=len(work.sizes),
        disk_bytes=len(work.sizes) * rows * assumed.MATCH_ROW_BYTES,
        array_bytes=2 * scores,
    )


def figures(work: Work) -> Stage:
    """PDF, PNG and CSV of every figure and table, of some under both rules of matching.

    PNG and CSV again in the report (base64).
    """
    names = drawn_figures(work)
    n = len(names) + sum(map(depends_on_rule, names))
    scale = (work.study.figures.dpi / 300) ** assumed.PICTURE_GROWTH
    pictures = n * assumed.PICTURE_BYTES * scale
    prompts = sum(size.n_valid for size in work.sizes)
    numbers = assumed.NUMBERS_BYTES * min(prompts, assumed.PLOTTED_PROMPTS)
    numbers += 2 * assumed.NEURON_BYTES * len(work.sizes) * work.shape.d_mlp
    numbers += plotted_bytes(work)
    disk = n * assumed.FIGURE_BYTES + (pictures + numbers) * 7 / 3
    return table_stage("figures", jobs=n, disk_bytes=disk, library_bytes=assumed.DRAWING_BYTES)


def drawn_figures(work: Work) -> list[str]:
    """Figures and tables of one model; some of them exist under both rules of matching."""
    names = [*FIGURES, *(CHECKPOINT_FIGURES if work.checkpoints else ())]
    names += [name for size in work.sizes for name in figures_of_operator(size.operator)]
    # the first model has the figure of all models, the others one of their own, like that one
    return [*names, *STUDY_FIGURES]


def _most_prompts(work: Work) -> int:
    return max(size.n_valid for size in work.sizes)


def _digits(number: int) -> int:
    return len(str(number))

"""What a plan cannot know before a run: constants measured on the built-in model, in one place."""

from dataclasses import dataclass

from pipeline_lib.plan.flops import Engine

ENGINE: Engine = "suffix"
"""How the effects stage runs its patches."""

CORE_TFLOPS, WIDE_CORE_TFLOPS, WIDE = 0.03, 0.1, 512
"""One processor core (10^12 FLOPs a second), as the built-in model of arithmetic gets out of it;
models of so many dimensions and more, as smollm2-135m does."""
GPU_TFLOPS = 100.0
"""A job on GPUs: one works at a time when layers are spread over several (A100, bfloat16)."""

START_SECONDS = 4.0
"""Start of a job: Python, torch, transformers."""
LOAD_BYTES_PER_SECOND = 1e9
"""Weights from disk to where they are used."""
DOWNLOAD_BYTES_PER_SECOND = 1e8
"""Weights from the hub."""
SCORE_SECONDS = 1e-7
"""Scoring one neuron on all heuristics, for each prompt of its map."""
EXPLAIN_SECONDS = 0.05
"""Explaining one neuron's map by heuristics and Fourier modes."""
SURROGATE_SECONDS = 2e-8
"""Drawing one surrogate and comparing it with all heuristics, for each place of its map."""
CHAIN_SECONDS = 1.5e-7
"""Following one neuron's chain without surrogates, for each place of its map."""

BOOTSTRAP_SECONDS = 8e-5
"""A bootstrap interval, for each sample that is drawn from."""
PAIR_SECONDS = 0.03
"""Drawing and aligning a pair of prompts with those left out."""

NAME_TOKENS, NAME_LETTERS = 3, 13
"""The name of a well-known person, both names together."""
SAME_LENGTH = 0.25
"""Pairs of prompts that have one length and run together: the largest group."""
LEFT_OUT = 3.0
"""Pairs of prompts that do not align, for each that does."""
CRITICAL_DEPTH = 0.75
"""Layers below those in which the odd one out is put together."""
PROBE_DEPTH = 0.4
"""Layers below the one whose residuals are steered."""

LIBRARY_BYTES = 480 * 10**6
"""Python, torch and transformers in memory."""
TABLE_LIBRARY_BYTES = 150 * 10**6
"""Python and pandas in memory."""
PAGE_LIBRARY_BYTES = 170 * 10**6
"""A page to browse with its libraries."""
DRAWING_BYTES = 300 * 10**6
"""A figure with its libraries."""
BATCH_BYTES = 192 * 2**20
"""Temporaries of one batch: the engine's budget."""
PROMPT_BYTES = 150
"""A prompt in a table in memory, with its tokens."""

MATCH_ROW_BYTES = 124
"""One row of the match table as text."""
NULL_ROW_BYTES, LINK_ROW_BYTES = 37, 86
"""A null map without a score, and a link of a chain, as text."""
CALIBRATED_ROW_BYTES, VERDICT_BYTES = 172, 44
"""A calibrated neuron, and what its verdict adds, as text."""
CLASSIFIED_ROW_BYTES = 208
"""A link of a classified neuron with its scores, as text."""
FLOAT_BYTES, NAME_BYTES = 18, 14
"""A number with all its digits; a checkpoint and an operator with their commas."""
WEIGHT_BYTES = 2
"""A weight on disk, of a model that is not there yet."""

FIGURE_BYTES = 30_000
"""A figure as PDF."""
PICTURE_BYTES, PICTURE_GROWTH = 285_000, 1.6
"""A figure as PNG at 300 dots per inch, and the power of the resolution that it grows with."""
SISTER_PICTURE_BYTES = 187_000
"""The same of the studies beside arithmetic."""
NUMBERS_BYTES = 115
"""Plotted numbers as CSV, per valid prompt of the first `PLOTTED_PROMPTS`."""
PLOTTED_PROMPTS = 45_000
NEURON_BYTES = 85
"""A neuron in the numbers of figures 4a and 12a."""
PAGE_BYTES = 4_880_000
"""A page to browse without its data: Plotly, nearly all of it."""
FINDINGS_BYTES, SISTER_FINDINGS_BYTES = 9_000, 5_500
"""A page of findings, in Markdown, of arithmetic and of another study."""
MAP_DEFLATED, HEAD_DEFLATED = 0.5, 0.8
"""Bytes of a value of a neuron's map and of a head's picture, one in the raw, when deflated."""
EFFECT_CELL_BYTES = 120
"""An effect as numbers and words."""
PREVIEW_CELL_BYTES = 20
"""A value of a preview as JSON, a line each."""
PREVIEW_BYTES = 150_000
"""Static picture of a page."""
PICTURE_SECONDS = 1e-7
"""Packing one value of a picture."""
BROWSER_SECONDS = 5.0
"""A browser that starts and draws the static pictures."""
REPORT_PAGE_BYTES = 3_550_000
"""The report without any figure."""


def core_tflops(d_model: int) -> float:
    """Throughput of a processor core with a model of a width."""
    return CORE_TFLOPS if d_model < WIDE else WIDE_CORE_TFLOPS


@dataclass(frozen=True)
class Expected:
    """What only a run can tell, as the built-in model has it."""

    knocked_out_share: float = 0.4
    """Heuristics with enough neurons, times min_neurons / neurons, per operator."""
    matches_per_neuron: float = 12.0
    """Rows of the match table per neuron, all kinds together."""
    checkpoint_matches_per_neuron: float = 4.0
    """Rows of the match table over training per neuron and checkpoint."""
    links_per_neuron: float = 1.3
    """Links of a chain, tested against surrogates."""
    classified_links_per_neuron: float = 0.04
    """Links of classified neurons' chains, per neuron."""
    checkpoint_links_per_neuron: float = 2.0
    """Links of a checkpoint's chain, not tested."""
    classified_checkpoint_links: float = 0.03
    """Links above the final model's cut, per neuron and checkpoint."""
    silenced_share: float = 0.8
    """Work of the prompt knockouts: some prompts have no neurons in the first late layer."""
    passing_pairs: int | None = None
    """Pairs of a study beside arithmetic that pass its baselines; None: all."""
    swept_task: str | None = None
    """Task of odd one out that the model can do; None: the first."""


EXPECTED = Expected()

NOTES = (
    "FLOPs are those of matrix products; hours add the start of each job"
    f" ({START_SECONDS:g} s, and weights at {LOAD_BYTES_PER_SECOND / 1e9:g} GB/s).",
    "Jobs run one after the other in these hours; GPU-hours count every GPU a job asks for.",
    "Memory is that of the largest job, weights and one batch included (on a GPU, those two).",
    "Figures include their copies in figs/report.html, whose own page is another"
    f" {REPORT_PAGE_BYTES / 1e6:.1f} MB.",
)
ARITHMETIC_NOTES = (
    "arithmetic: every valid prompt is taken to be answered right: fewer right answers mean less.",
)
SISTER_NOTES = {
    "bayes": "every pair of prompts is taken to be told apart, and patched; the probe is best with"
    f" {PROBE_DEPTH:.0%} of the layers below it.",
    "induction": "the strongest heads are taken to lie in layers like random ones.",
    "odd_one_out": "the first task is taken to be what the model can do, every pair of it to pass,"
    f" and {CRITICAL_DEPTH:.0%} of the layers to lie below the critical one; a name has"
    f" {NAME_TOKENS} tokens.",
    "power": "every pair of sentences is taken to be of one length and told apart.",
}
UNKNOWN_NOTE = "the cost of its stages is not known, that of its figures alone."
PROMPT_NOTE = (
    "Prompts are taken to have one token for each word, digit, sign and new line; up to"
    f" {SAME_LENGTH:.0%} of them have one length and run together."
)

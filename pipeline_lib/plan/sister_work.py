"""What the stages of the studies beside arithmetic share: what they depend on, patches, figures."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, Literal, TypeVar

from pipeline_lib.config.study import StudySection
from pipeline_lib.figures.sisters import SISTERS
from pipeline_lib.models.architectures import ModelShape
from pipeline_lib.plan import assumptions as assumed
from pipeline_lib.plan import flops
from pipeline_lib.plan.prompt_layout import Place
from pipeline_lib.plan.stages import ITEM_BYTES, ModelWork, Stage, table_stage

Settings = TypeVar("Settings", bound=StudySection, covariant=True)
Component = Literal["head", "mlp", "residual"]


@dataclass(frozen=True, kw_only=True)
class SisterWork(ModelWork, Generic[Settings]):
    """All that the cost of a model's stages in a study beside arithmetic depends on."""

    settings: Settings
    longest: int
    """Tokens of the longest prompts."""
    root: Path
    """Working folder of the run, in which tables of the user's lie."""

    @property
    def n_tokens(self) -> int:
        """Tokens of the longest prompts."""
        return self.longest

    def reading(self, n_tokens: int) -> "SisterWork[Settings]":
        """The same with prompts of so many tokens alone."""
        return replace(self, longest=n_tokens)

    def forward(self, n_tokens: int) -> int:
        """FLOPs of a forward pass of one prompt."""
        return flops.forward_flops(self.shape, n_tokens)

    def passing(self, n: int) -> int:
        """Pairs of ``n`` that pass their baselines."""
        limit = self.expected.passing_pairs
        return n if limit is None else min(n, limit)

    def depth(self, share: float) -> int:
        """The layer with a share of the layers below it."""
        return min(self.shape.n_layers - 1, int(share * self.shape.n_layers))


def patch_flops(
    shape: ModelShape, n_tokens: int, layer: int, at: Place, component: Component
) -> int:
    """One patch of which some candidates' logits are read.

    What the component writes at each position, in its own layer (a head's through W_O, then the MLP
    unless the residual is parallel; an MLP's through its output), and the layers above from the
    first position on. Nothing in the last layer before the last position.
    """
    if layer == shape.n_layers - 1 and at.first + at.n_at < n_tokens:
        return 0
    heads = flops.query_flops(shape) + (0 if shape.parallel_residual else flops.mlp_flops(shape))
    own = {"head": heads, "mlp": flops.mlp_out_flops(shape), "residual": 0}[component]
    return at.n_at * own + flops.above_flops(shape, n_tokens, layer, at.first)


def swept_flops(
    shape: ModelShape,
    n_tokens: int,
    layers: Iterable[int],
    places: Iterable[Place],
    component: Component,
) -> int:
    """One patch at every layer and place of one prompt."""
    chosen = list(places)
    return sum(
        patch_flops(shape, n_tokens, layer, at, component) for layer in layers for at in chosen
    )


def parts_flops(
    shape: ModelShape, n_tokens: int, layers: Iterable[int], places: Iterable[Place]
) -> int:
    """Every head and MLP of some layers, at every place of one prompt."""
    layers, places = list(layers), list(places)
    heads, mlps = (swept_flops(shape, n_tokens, layers, places, part) for part in ("head", "mlp"))
    return shape.n_heads * heads + mlps


def engine_bytes(work: ModelWork, n_prompts: int, n_patches: int) -> int:
    """Clean runs of prompts that run together, and the patches of a pass, within their budgets.

    The engine's own estimates, `interventions.batching.clean_rows` and `suffix_rows`.
    """
    item, shape, n_tokens = ITEM_BYTES[work.dtype], work.shape, work.n_tokens
    kept = 3 * shape.d_model + shape.d_mlp + 2 * shape.n_kv_heads * shape.d_head
    clean = item * n_tokens * kept * shape.n_layers
    patch = item * n_tokens * (8 * shape.d_model + 3 * shape.d_mlp)
    return sum(
        min(n * each, max(assumed.BATCH_BYTES, each))
        for n, each in ((n_prompts, clean), (n_patches, patch))
    )


def captured_bytes(work: ModelWork, n_prompts: int, width: int) -> int:
    """Activations of ``width`` numbers at every layer and position, as float32."""
    return 4 * n_prompts * work.n_tokens * work.shape.n_layers * width


def interval_seconds(n_rows: int | float, n_samples: int | float) -> float:
    """Bootstrap intervals of the rows of a table, each over so many samples."""
    return n_rows * n_samples * assumed.BOOTSTRAP_SECONDS


def figures(work: SisterWork[StudySection], plotted_bytes: int | float) -> Stage:
    """PDF, PNG and CSV of every figure, PNG and CSV again in the report (base64), and the pages."""
    catalogue = SISTERS[work.study_name]
    n = len(catalogue.figures)
    scale = (work.settings.dpi / 300) ** assumed.PICTURE_GROWTH
    pictures = n * assumed.SISTER_PICTURE_BYTES * scale
    browsed = sum(page.endswith(".html") for page in catalogue.pages)
    pages = browsed * assumed.PAGE_BYTES * 7 / 3
    pages += (len(catalogue.pages) - browsed) * assumed.SISTER_FINDINGS_BYTES
    return table_stage(
        "figures",
        jobs=n + len(catalogue.pages),
        disk_bytes=n * assumed.FIGURE_BYTES + (pictures + plotted_bytes) * 7 / 3 + pages,
        library_bytes=assumed.DRAWING_BYTES,
    )

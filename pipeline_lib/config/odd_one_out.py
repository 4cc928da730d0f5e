"""Settings of the study odd one out."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from pipeline_lib.config.base import Conflict, Count, Items, NonEmpty, Section, outside
from pipeline_lib.config.study import StudySection

TaskName = Literal["odd_one_out", "odd_one_out_shots", "common_attribute", "one_name"]
Few = Annotated[int, Field(ge=0, le=12)]


class FormatsSection(Section):
    """How prompts are written."""

    odd_one_out: str = "Q: Pick the odd person out: {names}\nA:"
    """The question for three names, with {names}."""
    common_head: str = "Task: find common attributes of two people.\n"
    """What stands before the line of a two-person prompt and its solved lines."""
    common_attribute: str = "{a} and {b}: Yes - {attribute} - they are both"
    """The line of a two-person prompt, with {a}, {b} and {attribute}."""
    one_name: str = "{name} was a famous"
    """The probe of one name, with {name}, which the profession follows."""
    attribute: Literal["profession", "super_class"] = "profession"
    """The attribute that two people share: a column of the table of people."""
    odd_shots: Few = 2
    """Solved questions in front of one of the task odd_one_out_shots."""
    common_shots: Few = 0
    """Solved lines in front of a two-person prompt."""

    def conflicts(self) -> Iterator[Conflict]:
        """Every format holds its fields."""
        fields = {
            "odd_one_out": ("{names}",),
            "common_attribute": ("{a}", "{b}"),
            "one_name": ("{name}",),
        }
        for key, names in fields.items():
            text = getattr(self, key)
            for name in names:
                if name not in text:
                    yield Conflict(key, text, f"must contain {name}")


class ExampleSection(Section):
    """A pair of triples written out."""

    clean: Annotated[Items[str], NonEmpty]
    """Three names."""
    corrupt: Annotated[Items[str], NonEmpty]
    """The same with one of them replaced."""
    target: str
    """The odd one out of the clean triple."""
    corrupt_target: str
    """The odd one out of the corrupt triple."""


class GridSection(Section):
    """Pairs drawn from the table of people."""

    pairs: Annotated[int, Field(ge=4, le=100_000)] = 160
    """Pairs of each task, without controls."""
    shots_pairs: Annotated[int, Field(ge=4, le=100_000)] = 32
    """Pairs of odd_one_out_shots, whose prompts are long."""
    controls: Count = 40
    """Pairs of each kind of negative control."""
    proposals: Annotated[int, Field(ge=1, le=100)] = 8
    """Pairs drawn for each that is wanted; those whose tokens do not align are left out."""
    least_people: Annotated[int, Field(ge=3, le=1_000)] = 5
    """Professions with fewer people are not used."""
    min_gap: Annotated[float, Field(ge=0, le=100)] = 0.5
    """A pair passes if clean and corrupt margins differ by more than this and the noise (nats)."""
    min_pairs: Count = 12
    """Passing pairs with which a task can be swept."""


class SweepSection(Section):
    """Necessity and sufficiency, and the same over the grid."""

    pairs: Annotated[int, Field(ge=2, le=10_000)] = 20
    """Passing pairs of the layer-by-layer sweeps."""
    component_pairs: Annotated[int, Field(ge=2, le=10_000)] = 10
    """Those of the sweep over every head and MLP."""
    replacements: Annotated[
        Items[Literal["zero", "mean", "resample"]], NonEmpty
    ] = ("zero", "mean", "resample")  # fmt: skip
    """What takes the place of the residual, heads and MLPs when necessity is tested."""
    window: Annotated[int, Field(ge=1, le=20)] = 3
    """Critical layers: so many in a row, over which the answer comes to the query."""
    heads: Annotated[int, Field(ge=1, le=50)] = 3
    """Critical heads: the most sufficient ones of these layers."""
    every: Count = 5
    """Layers of the test of generality: every so many."""
    generality_pairs: Annotated[int, Field(ge=2, le=10_000)] = 60
    """Passing pairs of the test of generality."""
    control_pairs: Annotated[int, Field(ge=2, le=10_000)] = 16
    """Pairs of each kind of control there."""


class PathSection(Section):
    """Backup heads, path patching, retrieval heads."""

    pairs: Annotated[int, Field(ge=2, le=10_000)] = 20
    """Passing pairs of the hydra check (10 are too few to pass its test) and of path patching."""
    probes: Annotated[int, Field(ge=2, le=10_000)] = 10
    """One-name probes in which retrieval heads are found."""
    retrieval_heads: Annotated[int, Field(ge=1, le=100)] = 6
    """Retrieval heads: the most sufficient ones in one-name probes."""
    draws: Annotated[int, Field(ge=1, le=1_000)] = 10
    """Random sets of as many heads beside them."""


class SubspaceSection(Section):
    """Probe of the super-class, patches of its subspace, neurons."""

    prompts: Annotated[int, Field(ge=20, le=100_000)] = 240
    """Prompts on which the probe is trained and tested."""
    folds: Annotated[int, Field(ge=2, le=20)] = 4
    """Folds of the cross-validation; people of different folds are different."""
    ridge: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    """Ridge penalty, in units of the mean variance of a direction."""
    ranks: Annotated[Items[Annotated[int, Field(ge=1, le=10_000)]], NonEmpty] = (
        1, 2, 3, 4, 6, 8, 9,
    )  # fmt: skip
    """Numbers of singular directions that are kept; those above the probe's rank are left out."""
    pairs: Annotated[int, Field(ge=2, le=10_000)] = 20
    """Passing pairs whose subspaces are patched."""
    draws: Annotated[int, Field(ge=1, le=1_000)] = 10
    """Random subspaces of the same rank."""
    neurons: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Neurons of the critical MLP that are shown."""


class OddOneOutStudy(StudySection):
    """Which parts of a model find the odd one out (docs/odd_one_out.md)."""

    people: Annotated[str, Field(max_length=1_000, pattern=r"^[^\x00-\x1f]*$")] = ""
    """Own table of people (CSV: name, profession, super_class, fame); empty: the shipped one."""
    outside_project: bool = False
    """Allows `people` to be absolute or to lead out of the project."""
    tasks: Annotated[Items[TaskName], NonEmpty] = (
        "odd_one_out", "odd_one_out_shots", "common_attribute", "one_name",
    )  # fmt: skip
    """Tasks whose baselines are measured; the first one the model can do is swept."""
    formats: FormatsSection = FormatsSection()
    examples: Items[ExampleSection] = (
        ExampleSection(
            clean=("Isaac Newton", "Brad Pitt", "Leonardo DiCaprio"),
            corrupt=("Isaac Newton", "Albert Einstein", "Leonardo DiCaprio"),
            target="Isaac Newton",
            corrupt_target="Leonardo DiCaprio",
        ),
        ExampleSection(
            clean=("Stephen King", "Mark Twain", "Usain Bolt"),
            corrupt=("Lionel Messi", "Mark Twain", "Usain Bolt"),
            target="Usain Bolt",
            corrupt_target="Mark Twain",
        ),
        ExampleSection(
            clean=("Barack Obama", "Bob Dylan", "George Bush"),
            corrupt=("Barack Obama", "Bob Dylan", "John Lennon"),
            target="Bob Dylan",
            corrupt_target="Barack Obama",
        ),
    )
    """Pairs of triples written out, measured beside those that are drawn."""
    grid: GridSection = GridSection()
    sweep: SweepSection = SweepSection()
    paths: PathSection = PathSection()
    subspace: SubspaceSection = SubspaceSection()

    def conflicts(self) -> Iterator[Conflict]:
        """The path stays in the project unless said otherwise."""
        yield from super().conflicts()
        found = None if self.outside_project else outside("people", self.people)
        if found is not None:
            yield found

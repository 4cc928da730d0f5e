"""What all sections of the configuration share: strictness, value types, cross-field checks."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

OperatorName = Literal["add", "sub", "mul", "div"]
PositionName = Literal["operand1", "operator", "operand2", "equals"]
OPERATOR_NAMES: tuple[OperatorName, ...] = get_args(OperatorName)
POSITION_NAMES: tuple[PositionName, ...] = get_args(PositionName)

Count = Annotated[int, Field(ge=1, le=1_000_000)]
CountOrZero = Annotated[int, Field(ge=0, le=1_000_000)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Share = Annotated[float, Field(ge=0, le=1)]
ModelName = Annotated[
    str,
    Field(pattern=r"^[a-z0-9][A-Za-z0-9._-]*(@[A-Za-z0-9._-]+)?$", examples=["tiny-arith@step65"]),
]

T = TypeVar("T")


def _tuple_from_list(value: Any) -> Any:
    """Lists of a YAML file as the tuples of an immutable section."""
    return tuple(value) if isinstance(value, list) else value


def _canonical(values: tuple[T, ...]) -> tuple[T, ...]:
    """The values in their natural order, so that a reordered list makes nothing stale."""
    names = (*OPERATOR_NAMES, *POSITION_NAMES)
    if all(value in names for value in values):
        return tuple(sorted(values, key=lambda value: names.index(value)))
    return tuple(sorted(values))  # type: ignore[type-var]


def _unique(values: tuple[T, ...]) -> tuple[T, ...]:
    twice = [value for i, value in enumerate(values) if value in values[:i]]
    if twice:
        text = ", ".join(str(value) for value in dict.fromkeys(twice))
        raise PydanticCustomError("duplicates", "lists {twice} more than once", {"twice": text})
    return values


Items = Annotated[
    tuple[T, ...],
    Field(json_schema_extra={"uniqueItems": True}),
    BeforeValidator(_tuple_from_list),
    AfterValidator(_unique),
]
"""A list without repetition, in the order given."""

OrderedItems = Annotated[Items[T], AfterValidator(_canonical)]
"""A list without repetition, put into its natural order."""

Listed = Annotated[tuple[T, ...], BeforeValidator(_tuple_from_list)]
"""A list in which values may come again."""

OfTwo = Field(min_length=2, max_length=2, json_schema_extra={"minItems": 2, "maxItems": 2})
NonEmpty = Field(min_length=1, json_schema_extra={"minItems": 1})


@dataclass(frozen=True)
class Conflict:
    """Two or more valid values that contradict each other; keys are relative to the section."""

    key: str
    value: Any
    text: str
    involves: tuple[str, ...] = ()


def outside(key: str, path: str) -> Conflict | None:
    """The contradiction of a path that leads out of the project; None for one that does not."""
    parts = PurePath(path)
    if not (parts.is_absolute() or ".." in parts.parts or path.startswith("~")):
        return None
    text = "leads out of the project; set outside_project: true if that is meant"
    return Conflict(key, path, text, involves=("outside_project",))


class Section(BaseModel):
    """A block of the configuration: typed, immutable, refusing unknown keys."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        validate_default=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )

    def conflicts(self) -> Iterator[Conflict]:
        """Contradictions between the values of this section (none by default)."""
        yield from ()

    @model_validator(mode="after")
    def _refuse_conflicts(self) -> "Section":
        found = list(self.conflicts())
        if found:
            raise PydanticCustomError("conflict", "contradicts itself", {"conflicts": found})
        return self

    def params(self, *keys: str) -> dict[str, Any]:
        """The named values (dotted keys; all of the section by default) as plain YAML types.

        Meant for the ``params`` of a rule: scalars, lists and dicts in a fixed order, no sets.
        """
        plain = self.model_dump(mode="json")
        return {key: _lookup(plain, key) for key in keys} if keys else plain


def _lookup(plain: dict[str, Any], key: str) -> Any:
    value: Any = plain
    for part in key.split("."):
        value = value[part]
    return value

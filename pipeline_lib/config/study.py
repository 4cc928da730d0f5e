"""What the settings of all studies beside arithmetic share."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from pipeline_lib.config.base import Conflict, Items, ModelName, Section, Seed


class StudySection(Section):
    """A study of its own target, beside arithmetic."""

    enabled: bool = False
    """Whether the target `all` draws this study too; the target of its name always does."""
    models: Items[ModelName] = ()
    """Models of this study, by their names under `models`."""
    seed: Seed = 42
    """Seed of every random choice of this study."""
    dpi: Annotated[int, Field(ge=50, le=1_200)] = 300
    """Resolution of the PNG files in dots per inch."""

    def conflicts(self) -> Iterator[Conflict]:
        """A study that is drawn needs a model."""
        if self.enabled and not self.models:
            yield Conflict("models", [], "must name a model", involves=("enabled",))

"""The whole configuration as one immutable object."""

import hashlib
import json
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field, PrivateAttr

from pipeline_lib.checkpoints.names import in_training_order
from pipeline_lib.config.arithmetic import ArithmeticStudy
from pipeline_lib.config.base import Conflict, Section
from pipeline_lib.config.bayes import BayesStudy
from pipeline_lib.config.induction import InductionStudy
from pipeline_lib.config.models import ModelSettings
from pipeline_lib.config.odd_one_out import OddOneOutStudy
from pipeline_lib.config.power import PowerStudy
from pipeline_lib.config.problems import did_you_mean
from pipeline_lib.config.recovery import RecoverySection
from pipeline_lib.config.study import StudySection
from pipeline_lib.config.training import TrainingSection
from pipeline_lib.errors import ConfigError

BaseName = Annotated[str, Field(pattern=r"^[a-z0-9][A-Za-z0-9._-]*$", examples=["tiny-arith"])]

SISTERS = ("bayes", "induction", "odd_one_out", "power")
"""Studies beside arithmetic, each a section and a target of this name."""


class Config(Section):
    """Everything a run depends on. Made by ``load_config``."""

    preset: str = "paper"
    """Values below yours: `paper` (the text of the paper) or `authors` (their released code)."""
    resume_minutes: Annotated[float, Field(ge=0, le=1_440)] = 5.0
    """Work that a long stage may lose when it dies (minutes); what it has by then is kept."""
    models: dict[BaseName, ModelSettings]
    """The models that studies can name."""
    arithmetic: ArithmeticStudy
    bayes: BayesStudy = BayesStudy()
    induction: InductionStudy = InductionStudy()
    odd_one_out: OddOneOutStudy = OddOneOutStudy()
    power: PowerStudy = PowerStudy()
    training: TrainingSection = TrainingSection()
    recovery: RecoverySection = RecoverySection()

    _arithmetic: dict[str, ArithmeticStudy] = PrivateAttr(default_factory=dict)

    def conflicts(self) -> Iterator[Conflict]:
        """Studies may only name configured models."""
        known = self.all_model_names()
        for study in ("arithmetic", *SISTERS):
            for name in self.study(study).models:
                if name not in known:
                    yield Conflict(
                        f"{study}.models",
                        name,
                        f"is not a configured model{did_you_mean(name, known)}",
                        involves=("models", f"models.{name.partition('@')[0]}"),
                    )

    def study(self, name: str) -> ArithmeticStudy | StudySection:
        """The settings of a study by its name: arithmetic, or one of `SISTERS`."""
        study: ArithmeticStudy | StudySection = getattr(self, name)
        return study

    def enabled_sisters(self) -> list[str]:
        """Studies beside arithmetic that the target `all` draws."""
        return [name for name in SISTERS if self.study(name).enabled]

    def all_model_names(self) -> list[str]:
        """Names of the models, each followed by its checkpoints as ``name@checkpoint``."""
        return [
            name
            for base, model in self.models.items()
            for name in (base, *(f"{base}@{checkpoint}" for checkpoint in model.checkpoints))
        ]

    def model(self, name: str) -> ModelSettings:
        """Settings of a model, or of one of its checkpoints (``name@checkpoint``).

        Raises ConfigError for a name that is not configured.
        """
        known = self.all_model_names()
        if name not in known:
            raise ConfigError(
                f"The model is not configured{did_you_mean(name, known)}",
                where="models",
                value=name,
                hint=f"Configured: {', '.join(known)}",
            )
        base, _, checkpoint = name.partition("@")
        return self.models[base].at(checkpoint) if checkpoint else self.models[base]

    def arithmetic_for(self, name: str) -> ArithmeticStudy:
        """The arithmetic study with the settings of this model (``models.<name>.arithmetic``)."""
        self.model(name)
        return self._arithmetic.get(name.partition("@")[0], self.arithmetic)

    def checkpoints_of(self, name: str) -> tuple[str, ...]:
        """Training checkpoints that are studied beside a model, in the order of training.

        None for a model that is a checkpoint itself, and where the study leaves them out.
        """
        wanted = self.arithmetic_for(name).checkpoints.enabled
        return () if "@" in name or not wanted else in_training_order(self.model(name).checkpoints)

    def digest(self) -> str:
        """Hash of all values, independent of the order of keys: first 16 hex digits of SHA-256."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def plain(self) -> dict[str, Any]:
        """All values as plain YAML types."""
        return self.model_dump(mode="json")

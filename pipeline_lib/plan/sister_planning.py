"""From a configuration to the cost of a study beside arithmetic."""

from pathlib import Path
from typing import Any

from pipeline_lib.config import Config
from pipeline_lib.plan import (
    bayes_stages,
    induction_stages,
    odd_circuit_stages,
    power_stages,
)
from pipeline_lib.plan.sister_work import SisterWork, figures
from pipeline_lib.plan.stages import ModelWork, Stage

STUDIES: dict[str, Any] = {
    "bayes": bayes_stages,
    "induction": induction_stages,
    "odd_one_out": odd_circuit_stages,
    "power": power_stages,
}
"""Module of each study, with its ``STAGES`` and the tokens of its ``longest`` prompts."""


def describe_sister(config: Config, known: ModelWork, root: Path) -> SisterWork[Any]:
    """All that the cost of one model's stages in a study beside arithmetic depends on."""
    settings: Any = config.study(known.study_name)
    work: SisterWork[Any] = SisterWork(**vars(known), settings=settings, longest=1, root=root)
    module = STUDIES.get(known.study_name)
    return work if module is None else work.reading(module.longest(work))


def sister_stages(work: SisterWork[Any]) -> tuple[Stage, ...]:
    """Cost of every stage beside those that make the model.

    Of a study that has no module here, figures and pages alone.
    """
    module = STUDIES.get(work.study_name)
    if module is None:
        return (figures(work, 0),)
    return tuple(stage(work) for stage in module.STAGES)

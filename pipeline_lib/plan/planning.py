"""From a configuration to the cost of every stage of every model."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline_lib.config import Config
from pipeline_lib.models.architectures import ModelShape
from pipeline_lib.plan import assumptions as assumed
from pipeline_lib.plan import (
    browse_stages,
    calibration_stages,
    checkpoint_stages,
    circuit_stages,
    exact_stages,
    head_stages,
    model_stages,
    planted_stages,
    probe_stages,
    rival_stages,
    table_stages,
)
from pipeline_lib.plan.calibration_stages import under_both_rules
from pipeline_lib.plan.flops import Engine
from pipeline_lib.plan.shapes import find_max_number, find_shape
from pipeline_lib.plan.sister_planning import describe_sister, sister_stages
from pipeline_lib.plan.sizes import operator_sizes
from pipeline_lib.plan.stages import ITEM_BYTES, ModelWork, Stage, Work

MODEL_STAGES = (
    table_stages.fetch_model,
    planted_stages.plant_model,
    table_stages.describe_model,
)
"""What the studies of a model share."""
STAGES = (
    table_stages.prompt_context,
    model_stages.label_prompts,
    table_stages.split_prompts,
    table_stages.draw_counterfactuals,
    model_stages.cache_clean,
    model_stages.cache_counterfactual,
    model_stages.verify_engine,
    model_stages.indirect_effects,
    model_stages.attribution_patching,
    exact_stages.exact_neurons,
    probe_stages.cache_residuals,
    probe_stages.probe_answers,
    table_stages.rank_neurons,
    model_stages.neuron_maps,
    table_stages.score_heuristics,
    table_stages.match_heuristics,
    calibration_stages.null_evidence,
    calibration_stages.calibrate_heuristics,
    calibration_stages.classify_neurons,
    rival_stages.explain_maps,
    rival_stages.number_codes,
    under_both_rules(model_stages.knock_out_heuristics),
    under_both_rules(model_stages.knock_out_prompts),
    circuit_stages.mean_activations,
    circuit_stages.faithfulness,
    circuit_stages.circuit_test,
    head_stages.attention,
    head_stages.number_maps,
    head_stages.mlp_vectors,
    under_both_rules(head_stages.failure_modes),
    checkpoint_stages.score_checkpoint,
    checkpoint_stages.match_checkpoints,
    calibration_stages.classify_checkpoints,
    under_both_rules(checkpoint_stages.ablate_checkpoint),
    table_stages.figures,
    browse_stages.browse_effects,
    browse_stages.browse_attention,
    browse_stages.browse_ov,
    browse_stages.browse_neurons,
    browse_stages.browse_snapshots,
    browse_stages.write_findings,
)


@dataclass(frozen=True)
class ModelPlan:
    """Cost of one model's stages in one study, in the order they run."""

    work: ModelWork
    stages: tuple[Stage, ...]

    @property
    def name(self) -> str:
        """The model's name, with its checkpoint if it has one."""
        return self.work.name

    @property
    def shape(self) -> ModelShape:
        """The model's sizes."""
        return self.work.shape


def make_plan(
    config: Config,
    root: Path,
    *,
    studies: Sequence[str] | None = None,
    engine: Engine = assumed.ENGINE,
    expected: assumed.Expected = assumed.EXPECTED,
) -> list[ModelPlan]:
    """Cost of every stage of every study, for each of its models in their order.

    ``studies`` are those that are switched on unless they are named. What the studies of a model
    share is in the first one's plan. ``root`` is the working folder of the run; no weights are
    read. ``engine`` says how patches run, ``expected`` what only a run can tell. Raises ModelError
    or TokenizerError for a model whose shape is unknown, or its numbers where arithmetic needs
    them; ConfigError for a layer that it does not have, PromptError for a table of the user's.
    """
    plans: list[ModelPlan] = []
    made: set[str] = set()
    for study in enabled_studies(config) if studies is None else studies:
        for name in config.study(study).models:
            if study == "arithmetic":
                plan = plan_model(describe(config, name, root, engine, expected), made)
                made |= {f"{name}@{c}" for c in other_checkpoints(config, name)}
            else:
                known = describe_model(config, name, root, study, expected)
                plan = plan_sister(config, known, root, made)
            plans.append(plan)
            made.add(name)
    return plans


def enabled_studies(config: Config) -> list[str]:
    """What the target `all` draws."""
    return ["arithmetic"] * config.arithmetic.enabled + config.enabled_sisters()


def describe_model(
    config: Config, name: str, root: Path, study: str, expected: assumed.Expected
) -> ModelWork:
    """What the cost of any study of a model depends on."""
    shape, weight_file_bytes = find_shape(config, name, root)
    model = config.model(name)
    if model.source == "package" and weight_file_bytes is None:
        weight_file_bytes = ITEM_BYTES["float32"] * shape.n_parameters  # as it is converted
    return ModelWork(
        study_name=study,
        name=name,
        shape=shape,
        dtype=model.dtype,
        gpus=model.gpus,
        is_fetched=model.source in ("hub", "package"),
        is_planted=model.source == "planted",
        weight_file_bytes=weight_file_bytes,
        expected=expected,
    )


def describe(
    config: Config, name: str, root: Path, engine: Engine, expected: assumed.Expected
) -> Work:
    """All that the cost of one model's stages in the arithmetic study depends on."""
    known = describe_model(config, name, root, "arithmetic", expected)
    max_number = find_max_number(config, name, root)
    study = config.arithmetic_for(name)
    return Work(
        **{**vars(known), "n_models": 1 + len(other_checkpoints(config, name))},
        max_number=max_number,
        study=study,
        sizes=tuple(operator_sizes(study, operator, max_number) for operator in study.operators),
        checkpoints=config.checkpoints_of(name),
        engine=engine,
    )


def other_checkpoints(config: Config, name: str) -> list[str]:
    """Checkpoints of a model but those that are models of the study too, and are made there."""
    every = config.checkpoints_of(name)
    return [c for c in every if f"{name}@{c}" not in config.arithmetic.models]


def plan_model(work: Work, made: Collection[str] = ()) -> ModelPlan:
    """Cost of every stage of one model in the arithmetic study that has jobs."""
    stages = (stage(work) for stage in STAGES)
    return ModelPlan(work, (*model_stages_of(work, made), *(s for s in stages if s.jobs)))


def plan_sister(
    config: Config, known: ModelWork, root: Path, made: Collection[str] = ()
) -> ModelPlan:
    """Cost of every stage of one model in a study beside arithmetic."""
    work = describe_sister(config, known, root)
    return ModelPlan(work, (*model_stages_of(work, made), *sister_stages(work)))


def model_stages_of(work: ModelWork, made: Collection[str]) -> tuple[Stage, ...]:
    """Stages that make the model and its checkpoints, unless another study has ``made`` it.

    Models that lie here are not fetched.
    """
    if work.name in made:
        return ()
    stages = (stage(work) for stage in MODEL_STAGES)
    return tuple(s for s in stages if s.jobs and (work.is_fetched or s.rule != "fetch_model"))

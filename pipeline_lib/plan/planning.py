"""From a configuration to the cost of every stage of every model."""

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
from pipeline_lib.plan.shapes import find_shape
from pipeline_lib.plan.sizes import operator_sizes
from pipeline_lib.plan.stages import Stage, Work

STAGES = (
    table_stages.fetch_model,
    planted_stages.plant_model,
    table_stages.describe_model,
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
    """Cost of one model's stages, in the order they run."""

    work: Work
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
    engine: Engine = assumed.ENGINE,
    expected: assumed.Expected = assumed.EXPECTED,
) -> list[ModelPlan]:
    """Cost of every stage of the arithmetic study, for each of its models in their order.

    ``root`` is the working folder of the run; no weights are read. ``engine`` says how patches
    run, ``expected`` what only a run can tell. Raises ModelError or TokenizerError for a model
    whose shape or numbers are unknown, ConfigError for a layer that it does not have.
    """
    if not config.arithmetic.enabled:
        return []
    return [
        plan_model(describe(config, name, root, engine, expected))
        for name in config.arithmetic.models
    ]


def describe(
    config: Config, name: str, root: Path, engine: Engine, expected: assumed.Expected
) -> Work:
    """All that the cost of one model's stages depends on."""
    shape, max_number, weight_file_bytes = find_shape(config, name, root)
    study, model = config.arithmetic_for(name), config.model(name)
    sizes = tuple(operator_sizes(study, operator, max_number) for operator in study.operators)
    checkpoints = config.checkpoints_of(name)
    # a checkpoint that is studied as a model too is fetched and described there
    others = [c for c in checkpoints if f"{name}@{c}" not in config.arithmetic.models]
    return Work(
        name=name,
        shape=shape,
        max_number=max_number,
        dtype=model.dtype,
        gpus=model.gpus,
        is_fetched=model.source in ("hub", "package"),
        is_planted=model.source == "planted",
        weight_file_bytes=weight_file_bytes,
        study=study,
        sizes=sizes,
        checkpoints=checkpoints,
        n_models=1 + len(others),
        engine=engine,
        expected=expected,
    )


def plan_model(work: Work) -> ModelPlan:
    """Cost of every stage of one model that has jobs; models that lie here are not fetched."""
    stages = (stage(work) for stage in STAGES)
    fetched = (s for s in stages if work.is_fetched or s.rule != "fetch_model")
    return ModelPlan(work, tuple(s for s in fetched if s.jobs))

"""What a change of the configuration makes stale: exactly the stages that depend on it.

The table has a row for every key of the arithmetic study; a new key without one fails a test.
"""

import pytest

from pipeline_lib.config.arithmetic import ArithmeticStudy
from tests.config_keys import keys_of, nested
from tests.stale_rules import (
    ATTRIBUTED,
    CACHES,
    CALIBRATION,
    CHECKPOINT_FIGURES,
    CHECKPOINTS,
    CIRCUIT_TEST,
    CIRCUITS,
    CODES,
    EVERYTHING,
    EXACT,
    EXAMPLES,
    EXPLAINED,
    FDR,
    FIGURES,
    FINDINGS,
    GALLERY,
    HEADS,
    HEURISTIC_KNOCKOUTS,
    KNOCKOUTS,
    MATCHED,
    NULLS,
    NUMBERS,
    OVER_TRAINING,
    PAIRED,
    PATCHING,
    PROBING,
    PROMPT_KNOCKOUTS,
    RANKING,
    RULE_FIGURES,
    SCORECARD,
    SCORING,
    SPLIT,
    STORED,
    THRESHOLD,
    VECTORS,
    VERIFICATION,
    with_findings,
)

TYPES = SCORING | EXPLAINED
VERIFIED = VERIFICATION | PATCHING | EXACT | CODES
RANKED = RANKING | CIRCUITS | EXACT | {"fig04a_neuron_effects"}
CHECKPOINT_SCORES = {"score_checkpoint"} | OVER_TRAINING
FAILURES = {"failure_modes", "fig09_failure_modes"}
# the files that a new seed needs, and all that is averaged over seeds
NEW_SEED = {"draw_counterfactuals", "cache_counterfactual"} | PATCHING

ROWS = [  # key, new value, what is stale
    ("enabled", "false", set()),
    ("operators", "[div, sub, mul, add]", set()),
    ("operators", "[add, sub, mul]", EVERYTHING - {"table07_neurons_div"}),
    ("seeds", "[412, 42]", set()),
    ("seeds", "[42, 412, 7]", NEW_SEED),
    ("prompts.min_operand", "1", EVERYTHING),
    ("prompts.max_operand", "29", EVERYTHING),
    ("prompts.few_shot", "1", EVERYTHING),
    ("prompts.discovery", "9", SPLIT),
    ("prompts.discovery_seed", "1", SPLIT),
    ("prompts.counterfactual", "any", PAIRED),
    ("activations.dtype", "float16", STORED),
    ("verification.prompts", "3", VERIFIED),
    ("verification.patches", "20", VERIFIED),
    ("verification.seed", "1", VERIFIED),
    ("effects.positions", "[operand2, equals]", PATCHING),
    ("attribution.method", "integrated", ATTRIBUTED),
    ("attribution.steps", "8", EXACT),  # only there integrated gradients are taken in any case
    ("attribution.seeds", "[42]", ATTRIBUTED),
    ("exact.neurons", "21", EXACT),
    ("exact.prompts", "4", EXACT),
    ("exact.seed", "1", EXACT),
    ("probe.prompts", "50", CACHES - {"cache_clean", "cache_counterfactual"}),
    ("probe.seed", "1", CACHES - {"cache_clean", "cache_counterfactual"}),
    ("probe.epochs", "2", PROBING),
    ("probe.learning_rate", "0.01", PROBING),
    ("probe.batch", "16", PROBING),
    ("probe.standardize", "true", PROBING),
    ("probe.test_share", "0.3", PROBING),
    ("neurons.importance", "mean_plus_std", RANKED),
    ("neurons.ranking", "exact", RANKED - {"fig04a_neuron_effects"}),
    ("neurons.per_layer", "11", RANKING),
    ("neurons.first_heuristics_layer", "auto", RANKED - EXACT),
    ("neurons.first_heuristics_layer", "1", RANKED - EXACT),
    ("neurons.readable_accuracy", "0.4", set()),  # says nothing while the layer is not `auto`
    ("circuit.n_heads", "{add: 3, sub: 2, mul: 2, div: 2}", CIRCUITS),
    ("circuit.target", "0.8", CIRCUITS),
    ("circuit.heads", "{add: [L0H1]}", CIRCUITS),
    ("faithfulness.prompts", "5", CIRCUITS),
    ("faithfulness.seeds", "[42]", CIRCUITS),
    ("faithfulness.zero_answers", "false", CIRCUITS),
    ("faithfulness.max_heads", "3", CIRCUITS),
    ("faithfulness.sizes", "5", CIRCUITS),
    ("faithfulness.late_share", "0.2", CIRCUITS),
    ("circuit_test.sets", "20", CIRCUIT_TEST | SCORECARD),
    ("circuit_test.prompts", "5", CIRCUIT_TEST | SCORECARD),
    ("circuit_test.seed", "1", CIRCUIT_TEST | SCORECARD),
    ("heads.prompts", "5", HEADS),
    ("heads.operands", "10", HEADS),
    ("heads.seed", "1", HEADS),
    ("heads.ov_source", "embedding", NUMBERS),
    ("embeddings.prompts", "30", VECTORS),
    ("embeddings.seed", "1", VECTORS),
    # all data are there under both rules
    ("heuristics.rule", "fdr", RULE_FIGURES | GALLERY),
    ("heuristics.fdr", "0.1", FDR),
    ("heuristics.min_share", "0.1", CALIBRATION | {"score_checkpoint", "match_checkpoints"}),
    ("heuristics.calibration.nulls", "[surrogate]", CALIBRATION),
    ("heuristics.calibration.surrogates", "29", CALIBRATION),
    ("heuristics.calibration.per_layer", "16", NULLS),
    ("heuristics.calibration.scored", "8", NULLS),
    ("heuristics.calibration.seed", "1", NULLS),
    ("heuristics.types.operand_ranges", "{default: {lengths: [10], step: third}}", TYPES),
    ("heuristics.types.result_ranges", "{default: {lengths: [10], step: third}}", TYPES),
    ("heuristics.types.moduli", "[2, 3]", TYPES),
    ("heuristics.types.patterns", "[.d.]", TYPES),
    ("heuristics.types.exact_values", "false", TYPES),
    ("heuristics.types.same_operands", "false", TYPES),
    ("heuristics.types.size_rule", "formula", TYPES),
    ("heuristics.types.pattern_source", "top_prompts", TYPES),
    ("heuristics.types.mined_patterns", "4", TYPES),
    ("heuristics.types.mined_share", "0.2", TYPES),
    ("heuristics.types.multi_value_sizes", "[2]", TYPES),
    ("heuristics.types.multi_value_share", "0.9", TYPES),
    ("heuristics.types.multi_value_prompts", "500", TYPES),
    ("heuristics.types.sides", "by_type", TYPES),
    ("heuristics.types.zero_result_limit", "0.5", TYPES),
    # scores are of both kinds of maps, and so are the matches by threshold
    ("heuristics.kind", "K", NULLS | MATCHED | GALLERY | {"score_checkpoint", "match_checkpoints"}),
    ("heuristics.threshold", "0.55", THRESHOLD),
    ("heuristics.max_base_rate", "0.5", {"score_checkpoint"} | THRESHOLD | NULLS),
    ("rivals.prompts", "200", EXPLAINED),
    ("rivals.n_modes", "2", EXPLAINED),
    ("rivals.periods", "[2, 10]", EXPLAINED | CODES),
    ("rivals.prompts_per_number", "3", CODES),
    ("rivals.draws", "12", CODES),
    ("rivals.pairs", "5", CODES),
    ("rivals.seed", "1", EXPLAINED | CODES),
    ("failures.prompts", "5", FAILURES),
    ("failures.seed", "1", FAILURES),
    ("knockouts.ablations", "[zero, mean]", KNOCKOUTS),
    ("knockouts.by_heuristic.min_neurons", "3", HEURISTIC_KNOCKOUTS),
    ("knockouts.by_heuristic.prompts", "9", HEURISTIC_KNOCKOUTS),
    ("knockouts.by_heuristic.draws", "3", HEURISTIC_KNOCKOUTS),
    ("knockouts.by_heuristic.positions", "last", HEURISTIC_KNOCKOUTS),
    ("knockouts.by_heuristic.seed", "1", HEURISTIC_KNOCKOUTS),
    ("knockouts.by_prompt.prompts", "5", PROMPT_KNOCKOUTS),
    ("knockouts.by_prompt.max_per_layer", "5", PROMPT_KNOCKOUTS),
    ("knockouts.by_prompt.step", "2", PROMPT_KNOCKOUTS),
    ("knockouts.by_prompt.seed", "1", PROMPT_KNOCKOUTS),
    # checkpoints are knocked out as the model is
    ("knockouts.by_prompt.rank", "count", PROMPT_KNOCKOUTS | CHECKPOINTS),
    ("knockouts.by_prompt.positions", "last", PROMPT_KNOCKOUTS | CHECKPOINTS),
    ("checkpoints.enabled", "false", FINDINGS),
    ("checkpoints.mean_prompts", "1000", CHECKPOINT_SCORES),
    ("checkpoints.seed", "1", CHECKPOINT_SCORES),
    ("checkpoints.prompts", "10", CHECKPOINTS),
    ("checkpoints.per_layer", "[5]", CHECKPOINTS),
    ("checkpoints.min_prompts", "2", CHECKPOINT_FIGURES),
    ("figures.example_prompt", "{operator: add, a: 3, b: 4}", {"fig01_running_example"}),
    ("figures.example_neurons", "2", EXAMPLES | {"neuron_vectors", "neuron_rivals"}),
    ("figures.dpi", "70", FIGURES),
]
TESTED_ELSEWHERE = {"models"}  # test_another_model_leaves_the_first_alone
OF_THE_STUDY = ("enabled", "operators", "seeds", "heuristics.rule", "figures.dpi")
"""Keys that no model can have for itself."""


def test_every_key_of_the_study_has_a_row():
    assert {key for key, _, _ in ROWS} == set(keys_of(ArithmeticStudy)) - TESTED_ELSEWHERE


@pytest.mark.parametrize(("key", "value", "stale"), ROWS)
def test_a_key_makes_what_reads_it_stale(study, key, value, stale):
    change = f"{{arithmetic: {nested(key, value)}}}"
    if key not in OF_THE_STUDY:  # config/test.yaml gives some to the model alone
        change = change[:-1] + f", models: {{tiny-arith: {change}}}}}"
    assert set(study.after(change)) == with_findings(stale)


def test_how_often_steps_are_kept_makes_nothing_stale(study):
    assert study.after("{resume_minutes: 0}") == {}

"""What a change makes stale: exactly the stages that depend on it, and what follows them."""

import shutil
from pathlib import Path

import pytest

from pipeline_lib.figures.catalog import PAGES
from pipeline_lib.findings.tables import COLUMNS
from tests.project import planned

SCORECARD = {"table_scorecard"}
PROMPT_KNOCKOUTS = {
    "knock_out_prompts",
    "fig08_prompt_knockout",
    "fig08_prompt_knockout_models",
    "fig_knockout_controls",
} | SCORECARD
HEURISTIC_KNOCKOUTS = {
    "knock_out_heuristics",
    "fig07_heuristic_knockout",
    "fig_knockout_controls",
} | SCORECARD
KNOCKOUTS = HEURISTIC_KNOCKOUTS | PROMPT_KNOCKOUTS
MATCH_FIGURES = {  # and what they are drawn from
    "fig01_running_example",
    "fig05_heuristic_types",
    "fig06_matching_example",
    "heuristic_counts",
    "failure_modes",
    "fig09_failure_modes",
    "table08_unclassified_neurons",
    "table04_neurons_add",
    "table05_neurons_sub",
    "table06_neurons_mul",
    "table07_neurons_div",
}
CHECKPOINT_FIGURES = {"fig10b_shared_faithfulness", "fig10c_checkpoint_knockout"}
CHECKPOINTS = {"ablate_checkpoint"} | CHECKPOINT_FIGURES
GALLERY = {"browse_neurons", "browse_snapshots"}
# what follows from the matches of a rule, under that rule
MATCHED = MATCH_FIGURES | KNOCKOUTS | CHECKPOINTS | {"fig10a_heuristic_overlap"}
CALIBRATION_FIGURES = {"fig_calibration", "fig_classified_share"}
# the configured rule is the threshold: the gallery shows its matches
THRESHOLD = {"match_heuristics", "match_checkpoints"} | MATCHED | GALLERY | CALIBRATION_FIGURES
FDR = {"classify_neurons", "classify_checkpoints"} | MATCHED | CALIBRATION_FIGURES
CALIBRATION = {"calibrate_heuristics"} | FDR
NULLS = {"null_evidence"} | CALIBRATION
RULE_FIGURES = MATCHED - {
    "knock_out_heuristics", "knock_out_prompts", "failure_modes", "ablate_checkpoint",
}  # fmt: skip
OVER_TRAINING = {
    "match_checkpoints",
    "classify_checkpoints",
    "fig10a_heuristic_overlap",
} | CHECKPOINTS
SCORING = {"score_heuristics", "score_checkpoint"} | THRESHOLD | NULLS
EXPLAINED = {"explain_maps", "fig_rivals", "neuron_rivals", "fig_neuron_spectra"}
CODES = {"number_codes", "fig_spectra", "fig_helix"}
VECTORS = {"mlp_vectors", "embeddings", "neuron_vectors"}
EXACT = {"exact_neurons", "fig_attribution_truth"}
STABILITY = {"fig_stability"}
CIRCUIT_TEST = {"circuit_test", "fig_circuit_test", "table01_faithfulness"}
RANKING = (
    {"rank_neurons", "neuron_maps", "fig15_neuron_iou"} | VECTORS | SCORING | STABILITY | EXPLAINED
)
PROBING = {"probe_answers", "fig03_probe_accuracy"}
VERIFICATION = {"verify_engine", "table00_verification"}
CIRCUITS = (
    {
        "faithfulness",
        "fig04b_faithfulness_topk",
        "fig11_faithfulness_heads",
        "fig12b_mlp0_topk",
        "table01_faithfulness",
        "table02_circuit_heads",
        "fig14_attention_patterns",
    }
    | SCORECARD
    | CHECKPOINTS
    | CIRCUIT_TEST
    | STABILITY
)
LOCALIZATION = {"fig02_localization", "fig02_localization_summed"}
EFFECTS_PAGE = {"browse_effects", "browse_snapshots"}
PATCHING = {"indirect_effects"} | LOCALIZATION | CIRCUITS | EFFECTS_PAGE


FINDINGS = {"write_findings"}


def with_findings(stale: set[str]) -> set[str]:
    """Also the page of findings, where a table that it reads is stale."""
    return stale | FINDINGS if stale & set(COLUMNS) else stale


def of_the_model(settings: str) -> str:
    """A change of settings that config.yaml gives for this model alone."""
    return f"{{models: {{tiny-arith: {{arithmetic: {settings}}}}}}}"


@pytest.fixture
def project(finished_project, tmp_path) -> Path:
    """A copy of the finished run that a test may change."""
    return Path(shutil.copytree(finished_project, tmp_path / "project", symlinks=True))


def test_a_copied_project_is_up_to_date(project):
    assert planned(project) == {}


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        ("{arithmetic: {heuristics: {threshold: 0.55}}}", THRESHOLD),
        ("{arithmetic: {heuristics: {fdr: 0.1}}}", FDR),
        (
            "{arithmetic: {heuristics: {min_share: 0.1}}}",
            CALIBRATION | {"score_checkpoint", "match_checkpoints"},
        ),
        ("{arithmetic: {heuristics: {calibration: {nulls: [surrogate]}}}}", CALIBRATION),
        ("{arithmetic: {heuristics: {calibration: {surrogates: 29}}}}", CALIBRATION),
        ("{arithmetic: {heuristics: {calibration: {per_layer: 16}}}}", NULLS),
        ("{arithmetic: {heuristics: {calibration: {scored: 8}}}}", NULLS),
        ("{arithmetic: {heuristics: {calibration: {seed: 1}}}}", NULLS),
        # all data are there under both rules
        ("{arithmetic: {heuristics: {rule: fdr}}}", RULE_FIGURES | GALLERY),
        (
            "{arithmetic: {knockouts: {by_prompt: {seed: 1}}}}",
            PROMPT_KNOCKOUTS,
        ),
        (
            "{arithmetic: {knockouts: {by_heuristic: {positions: last}}}}",
            HEURISTIC_KNOCKOUTS,
        ),
        (of_the_model("{knockouts: {by_heuristic: {draws: 3}}}"), HEURISTIC_KNOCKOUTS),
        ("{arithmetic: {knockouts: {ablations: [zero, mean]}}}", KNOCKOUTS),
        (
            "{arithmetic: {neurons: {importance: mean_plus_std}}}",
            RANKING | CIRCUITS | EXACT | {"fig04a_neuron_effects"},
        ),
        (
            of_the_model("{neurons: {ranking: exact}}"),
            RANKING | CIRCUITS | EXACT | {"fig04a_neuron_effects"},
        ),
        (of_the_model("{exact: {prompts: 4}}"), EXACT),
        ("{arithmetic: {circuit_test: {sets: 20}}}", CIRCUIT_TEST | SCORECARD),
        ("{arithmetic: {probe: {epochs: 2}}}", PROBING),
        ("{arithmetic: {probe: {prompts: 50}}}", {"cache_residuals"} | PROBING),
        (
            "{arithmetic: {neurons: {first_heuristics_layer: auto}}}",
            RANKING | CIRCUITS | {"fig04a_neuron_effects"},
        ),
        ("{arithmetic: {effects: {positions: [operand2, equals]}}}", PATCHING),
        ("{arithmetic: {verification: {patches: 20}}}", VERIFICATION | PATCHING | EXACT | CODES),
        ("{arithmetic: {seeds: [412, 42]}}", set()),
        (of_the_model("{faithfulness: {late_share: 0.2}}"), CIRCUITS),
        (
            of_the_model("{circuit: {n_heads: {add: 3, sub: 2, mul: 2, div: 2}}}"),
            CIRCUITS,
        ),
        (
            "{arithmetic: {heads: {operands: 10}}}",
            {"attention", "fig14_attention_patterns", "browse_attention", "browse_snapshots"},
        ),
        (
            "{arithmetic: {heads: {ov_source: embedding}}}",
            {"number_maps", "fig13_mlp0_neurons", "browse_ov", "browse_snapshots"},
        ),
        ("{arithmetic: {embeddings: {prompts: 30}}}", VECTORS),
        ("{arithmetic: {rivals: {n_modes: 2}}}", EXPLAINED),
        ("{arithmetic: {rivals: {draws: 12}}}", CODES),
        ("{arithmetic: {rivals: {periods: [2, 10]}}}", EXPLAINED | CODES),
        ("{arithmetic: {failures: {seed: 1}}}", {"failure_modes", "fig09_failure_modes"}),
        ("{arithmetic: {checkpoints: {per_layer: [5]}}}", CHECKPOINTS),
        ("{arithmetic: {checkpoints: {min_prompts: 2}}}", CHECKPOINT_FIGURES),
        (
            "{arithmetic: {checkpoints: {mean_prompts: 1000}}}",
            {"score_checkpoint"} | OVER_TRAINING,
        ),
        ("{arithmetic: {checkpoints: {enabled: false}}}", FINDINGS),
        ("{recovery: {noise: [3]}}", set()),
        ("{arithmetic: {enabled: false}}", set()),
        ("{}", set()),
    ],
)
def test_a_config_change_makes_what_reads_it_stale(project, tmp_path, change, stale):
    (tmp_path / "change.yaml").write_text(change)
    configs = ("config/test.yaml", str(tmp_path / "change.yaml"))
    assert set(planned(project, configs=configs)) == with_findings(stale)


@pytest.mark.parametrize(
    ("change", "both"),
    [
        # these two say what the threshold is, also under the other rule
        ("{threshold: 0.55}", {"fig06_matching_example", "table_scorecard"}),
        ("{fdr: 0.1}", set()),
        # the other rule's figures move from its folder, the configured one's into their own
        ("{rule: fdr}", RULE_FIGURES),
    ],
)
def test_one_rule_of_matching_leaves_the_others_results_alone(project, tmp_path, change, both):
    (tmp_path / "change.yaml").write_text(f"{{arithmetic: {{heuristics: {change}}}}}")
    jobs = planned(project, configs=("config/test.yaml", str(tmp_path / "change.yaml")))
    per_operator = ("knock_out_heuristics", "knock_out_prompts", "failure_modes")
    expected = dict.fromkeys(per_operator, 4) | {"ablate_checkpoint": 3}
    expected |= {name: 2 if name in both else 1 for name in RULE_FIGURES}
    found = {rule: jobs[rule] for rule in MATCHED if rule in jobs}
    assert found == {rule: n for rule, n in expected.items() if rule in jobs}
    assert set(jobs) >= RULE_FIGURES


@pytest.mark.parametrize(
    ("path", "old", "new", "stale"),
    [
        ("pipeline_lib/heuristics/types.py", '"""', '"""Another docstring. ', set()),
        (
            "pipeline_lib/knockouts/by_prompt.py",
            "import numpy as np",
            "# a comment\nimport numpy as np",
            set(),
        ),
        (
            "pipeline_lib/knockouts/by_prompt.py",
            "cumcount()",
            "cumcount(ascending=False)",
            PROMPT_KNOCKOUTS | CHECKPOINTS,
        ),
        (
            "pipeline_lib/figures/fig15_neuron_iou.py",
            "import ",
            "import math\nimport ",
            {"fig15_neuron_iou"} | SCORECARD,
        ),
        (
            "pipeline_lib/verification/sample.py",
            "np.divmod(",
            "np.divmod(0 + ",
            VERIFICATION | PATCHING | EXACT | CODES,
        ),
        ("pipeline_lib/browse/templates/neurons.js", "const STEP = 50", "const STEP = 99", GALLERY),
        (
            "pipeline_lib/browse/templates/common.js",
            "// Rows of",
            "// All rows of",
            {f"browse_{page}" for page in PAGES} | {"browse_snapshots"},
        ),
        ("pipeline_lib/heuristics/counting.py", 'kind="stable"', 'kind="mergesort"', SCORING),
        ("pipeline_lib/findings/template.md", "## In short", "## Short", FINDINGS),
        ("pipeline_lib/findings/words.py", "< 0.1 %", "< .1 %", FINDINGS),
        (
            "workflow/rules/knockouts.smk",
            "runtime=",
            'slurm_partition="gpu",\n        runtime=',
            set(),
        ),
    ],
)
def test_a_code_change_makes_what_runs_it_stale(project, path, old, new, stale):
    text = (project / path).read_text()
    assert old in text
    (project / path).write_text(text.replace(old, new, 1))
    assert set(planned(project)) == with_findings(stale)


def test_a_changed_engine_is_tested_before_it_measures(project):
    path = project / "pipeline_lib" / "interventions" / "patch.py"
    path.write_text(path.read_text() + "\n\nCHANGED = 1\n")
    assert set(planned(project)) >= VERIFICATION | PATCHING


def test_a_deleted_figure_is_drawn_again_and_nothing_else_runs(project):
    (project / "figs/arithmetic/tiny-arith/fig02_localization.png").unlink()
    assert planned(project) == dict.fromkeys({"fig02_localization"} | FINDINGS, 1)


def test_a_changed_data_file_makes_what_reads_it_stale(project):
    path = project / "pipeline_lib" / "published" / "arithmetic.csv"
    path.write_text(path.read_text().replace("0.97", "0.96", 1))
    assert set(planned(project)) == SCORECARD


def test_a_deleted_artifact_is_made_again_when_a_figure_needs_it(project):
    (project / "figs/arithmetic/tiny-arith/fig08_prompt_knockout.png").unlink()
    (project / "data/arithmetic/tiny-arith/knockouts/threshold/add_by_prompt.csv").unlink()
    assert planned(project) == dict.fromkeys(PROMPT_KNOCKOUTS | FINDINGS, 1)


def test_other_weights_make_every_stage_of_the_model_stale(project):
    folder = project / "data" / "models"
    shutil.copy(folder / "tiny-arith@step910" / "model.safetensors", folder / "tiny-arith")
    assert {"describe_model", "label_prompts", "indirect_effects"} <= set(planned(project))

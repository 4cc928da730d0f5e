"""Every stage on tiny stand-ins for the paper's models, three models in one run."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from pipeline_lib import store
from tests.project import copy_project, said, snakemake
from tests.stand_ins import D_MLP, MAX_OPERAND, N_LAYERS, STAND_INS, save_stand_in

N_HEADS = {"llama3": 32, "pythia": 8, "gptj": 8}
SIZES = {
    "operators": ["add"],
    "seeds": [42],
    "attribution": {"seeds": [42]},
    "prompts": {"max_operand": MAX_OPERAND, "discovery": 8},
    "faithfulness": {"seeds": [42]},
}
# the last file of every chain of stages
TARGETS = (
    "data/arithmetic/{model}/probes/add.csv",
    "data/arithmetic/{model}/attention/patterns.h5",
    "data/arithmetic/{model}/numbers/ov.h5",
    "data/arithmetic/{model}/numbers/outputs.h5",
    "data/arithmetic/{model}/failures/threshold/add.csv",
    "figs/arithmetic/{model}/table_scorecard.csv",
    "figs/arithmetic/{model}/fig_classified_share.csv",
    "figs/arithmetic/{model}/fig02_localization.csv",
)
OF_ALL_MODELS = (
    "figs/arithmetic/all_models/fig08_prompt_knockout_models.png",
    "figs/arithmetic/pythia/fig16_model_pythia.png",
    "figs/arithmetic/gptj/fig17_model_gptj.png",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A project in which all stages ran on the three of them."""
    project = copy_project(tmp_path_factory.mktemp("stand_ins") / "project")
    for name in STAND_INS:
        save_stand_in(project / "data" / "models" / name, name)
    models = {name: {"source": "local", "path": f"data/models/{name}"} for name in STAND_INS}
    study = {**SIZES, "models": list(STAND_INS)}
    text = yaml.safe_dump({"models": models, "arithmetic": study})
    (project / "stand_ins.yaml").write_text(text)
    targets = [target.format(model=model) for model in STAND_INS for target in TARGETS]
    configs = ("config/test.yaml", "stand_ins.yaml")
    result = snakemake(project, *targets, *OF_ALL_MODELS, configs=configs)
    assert result.returncode == 0, said(result)
    return project


@pytest.fixture(params=STAND_INS)
def model(request) -> str:
    return request.param


@pytest.fixture
def data(run, model) -> Path:
    return run / "data" / "arithmetic" / model


@pytest.fixture
def figures(run, model) -> Path:
    return run / "figs" / "arithmetic" / model


def test_most_prompts_are_answered_right_and_some_wrong(figures):
    accuracy = pd.read_csv(figures / "table03_accuracy.csv").set_index("operator")
    assert accuracy.loc["add", "prompts"] == MAX_OPERAND**2
    assert 0.7 < accuracy.loc["add", "accuracy"] < 1
    assert accuracy.loc["add", "incorrect"] > 0


def test_the_engine_agrees_with_plain_hooks(data):
    checks = store.read_json(data / "verification" / "checks.json")["checks"]
    compared = [check for check in checks if check["reference"] == "Hugging Face hooks"]
    assert {check["status"] for check in compared} == {"passed"}
    assert "failed" not in {check["status"] for check in checks}


def test_every_head_and_mlp_is_patched(figures, model):
    table = pd.read_csv(figures / "fig02_localization.csv")
    assert len(table) == 4 * N_LAYERS * (N_HEADS[model] + 1)
    assert table["component"].nunique() == N_HEADS[model] + 1
    last = table[table["position"] == "equals"]
    assert (last["mean"] != 0).all()


def test_every_stage_has_results(data, figures):
    assert len(pd.read_csv(data / "probes" / "add.csv")) > 0
    assert pd.read_csv(data / "neurons" / "add.csv")["neuron"].between(0, D_MLP - 1).all()
    assert len(pd.read_csv(data / "heuristics" / "threshold" / "add_matches.csv")) > 0
    assert len(pd.read_csv(data / "knockouts" / "threshold" / "add_by_prompt.csv")) > 0
    failures = pd.read_csv(data / "failures" / "threshold" / "add.csv")
    assert set(failures["label"]) == {"correct", "incorrect"}
    faithful = pd.read_csv(figures / "table01_faithfulness.csv").set_index("operator")
    assert faithful.loc["add", "n_prompts"] > 0
    scorecard = pd.read_csv(figures / "table_scorecard.csv")
    assert scorecard["paper"].isna().all()
    assert scorecard.set_index("quantity")["run"]["n_heads"] > 0


def test_every_neuron_is_held_against_every_null(data, figures):
    neurons = pd.read_csv(data / "neurons" / "add.csv")
    calibrated = pd.read_csv(data / "calibration" / "add_neurons.csv")
    key = ["layer", "neuron"]
    assert calibrated[key].to_numpy().tolist() == neurons[key].to_numpy().tolist()
    families = ["p_surrogate", "p_low_effect", "p_direction", "p_untrained"]
    assert calibrated["p_value"].between(0, 1).all()
    assert calibrated[families[1:]].notna().all(axis=None)
    tested = calibrated[calibrated["evidence"] > 0]
    assert tested["p_value"].tolist() == tested[families].max(axis=1).tolist()
    shares = pd.read_csv(figures / "fig_classified_share.csv")
    assert set(shares["rule_or_null"]) == {
        "neurons", "surrogate", "low_effect", "direction", "untrained",
    }  # fmt: skip


def test_models_stand_side_by_side(run):
    folder = run / "figs" / "arithmetic"
    table = pd.read_csv(folder / "all_models" / "fig08_prompt_knockout_models.csv")
    assert table["model"].unique().tolist() == list(STAND_INS)
    for name in STAND_INS:
        own = pd.read_csv(folder / name / "fig08_prompt_knockout.csv")
        rows = table[table["model"] == name].drop(columns="model").reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, own, check_dtype=False)


def test_further_models_have_a_figure_of_their_own_and_the_first_has_none(run):
    folder = run / "figs" / "arithmetic"
    assert sorted(path.stem for path in folder.glob("*/fig1[6-9]_*.pdf")) == [
        "fig16_model_pythia",
        "fig17_model_gptj",
    ]
    panels = pd.read_csv(folder / "gptj" / "fig17_model_gptj.csv", low_memory=False)["panel"]
    assert panels.unique().tolist() == ["localization", "probe", "faithfulness", "knockout"]

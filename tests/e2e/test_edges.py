"""Models and settings at the edge: no prompts, no operator left, other architectures."""

import pandas as pd
import pytest
import yaml

from tests.conftest import save_tiny_model
from tests.project import copy_project, said, snakemake


def write_config(folder, **study):
    (folder / "edge.yaml").write_text(yaml.safe_dump(study))
    return ("config/test.yaml", "edge.yaml")


def test_an_operator_without_correct_prompts_is_reported_and_left_out(tmp_path):
    """No product of two operands from 280 is a single token: mul has nothing, sub goes on."""
    project = copy_project(tmp_path / "project")
    prompts = {"min_operand": 280, "max_operand": 300, "discovery": 8}
    study = {"seeds": [42], "prompts": prompts, "attribution": {"seeds": [42]}}
    study["operators"] = ["sub", "mul"]
    models = {"tiny-arith": {"checkpoints": ["step130"]}}
    result = snakemake(project, configs=write_config(project, models=models, arithmetic=study))
    assert result.returncode == 0, said(result)
    figures = project / "figs" / "arithmetic" / "tiny-arith"
    accuracy = pd.read_csv(figures / "table03_accuracy.csv").set_index("operator")
    assert accuracy.loc["mul", "prompts"] == 0
    assert accuracy.loc["sub", "correct"] > 200
    localization = pd.read_csv(figures / "fig02_localization.csv")
    assert set(localization["n_operators"]) == {1}
    for folder in (figures, figures / "fdr"):
        assert (folder / "table06_neurons_mul.png").exists()
        assert set(pd.read_csv(folder / "fig08_prompt_knockout.csv")["operator"]) == {"sub"}
    shares = pd.read_csv(figures / "fig_classified_share.csv")
    assert set(shares["operator"]) == {"sub"}
    for table in ("nulls", "neurons", "links"):
        path = project / f"data/arithmetic/tiny-arith/calibration/mul_{table}.csv"
        assert len(pd.read_csv(path)) == 0
    gallery = (figures / "browse" / "neurons.html").read_text()
    assert '["sub",2,' in gallery
    assert '["mul","multiplication (\\u00d7)"]' in gallery  # it can be chosen, and has no row
    assert '["mul",2' not in gallery
    findings = (figures / "findings.md").read_text()
    assert "**Multiplication.** No prompt is valid in this run" in findings
    assert "| subtraction | L" in findings
    assert "| multiplication | 0 | – | – | – | – | – |" in findings
    assert "no correct prompt" in (project / "logs/split_prompts/tiny-arith/mul.log").read_text()


def test_no_operator_left_is_one_clear_error(tmp_path):
    project = copy_project(tmp_path / "project")
    study = {
        "models": ["tiny-arith@step0"],
        "seeds": [42],
        "attribution": {"seeds": [42]},
        "prompts": {"max_operand": 10},
    }
    target = "data/arithmetic/tiny-arith@step0/prompts/add/counterfactual_seed42.csv"
    result = snakemake(project, target, configs=write_config(project, arithmetic=study))
    assert result.returncode != 0
    assert "no operator has a correct prompt" in said(result)
    assert "Choose another model" in said(result)
    assert "Traceback" not in said(result)


FAMILIES = ("gpt2",)  # the others: test_stand_ins.py
LAST_STAGES = (
    *(
        f"data/arithmetic/{{model}}/knockouts/{rule}/{{operator}}_by_{what}.csv"
        for rule in ("threshold", "fdr")
        for what in ("heuristic", "prompt")
    ),
    "figs/arithmetic/{model}/fig02_localization.csv",
    "figs/arithmetic/{model}/fig03_probe_accuracy.csv",
    "figs/arithmetic/{model}/table03_accuracy.csv",
)


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    """The stages on a random model of the families that no stand-in has."""
    project = copy_project(tmp_path_factory.mktemp("zoo") / "project")
    models = {}
    for name in FAMILIES:
        folder = save_tiny_model(project / "data" / "models" / name, name)
        models[name] = {"source": "local", "path": str(folder.relative_to(project))}
    study = {
        "models": list(FAMILIES),
        "operators": ["add"],
        "seeds": [42],
        "attribution": {"seeds": [42]},
        "prompts": {"max_operand": 100, "discovery": 6, "counterfactual": "any"},
        "neurons": {"per_layer": 6},
    }
    wanted = {
        path.format(model=model, operator=operator)
        for path in LAST_STAGES
        for model in FAMILIES
        for operator in study["operators"]
    }
    configs = write_config(project, models=models, arithmetic=study)
    result = snakemake(project, *sorted(wanted), configs=configs)
    assert result.returncode == 0, said(result)
    return project


@pytest.mark.parametrize("name", FAMILIES)
def test_every_architecture_goes_through_all_stages(zoo, name):
    figures = zoo / "figs" / "arithmetic" / name
    accuracy = pd.read_csv(figures / "table03_accuracy.csv").set_index("operator")
    assert accuracy["prompts"].to_dict() == {"add": 5050}
    assert accuracy["correct"].sum() > 0
    localization = pd.read_csv(figures / "fig02_localization.csv")
    assert localization["mean"].abs().max() > 0
    for rule in ("threshold", "fdr"):
        knockouts = zoo / "data" / "arithmetic" / name / "knockouts" / rule
        assert sum(len(pd.read_csv(path)) for path in knockouts.glob("*_by_prompt.csv")) > 0

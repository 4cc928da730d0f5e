"""Plans of several studies: what they share, models of which little is known, own tables."""

import shutil

import pandas as pd
import pytest

from pipeline_lib.config import SISTERS
from pipeline_lib.errors import PromptError, TokenizerError
from pipeline_lib.plan import (
    assumed_throughput,
    make_plan,
    plan_table,
    plan_text,
)
from pipeline_lib.plan import assumptions as assumed
from pipeline_lib.plan.sister_planning import STUDIES
from tests.project import ROOT
from tests.unit.plan.conftest import HUB, SHAPE, by_rule

ON = {name: {"enabled": True, "models": ["some"]} for name in SISTERS}
OFF = {"arithmetic": {"enabled": False}}


def test_a_model_is_fetched_and_described_once(config, tmp_path):
    plans = make_plan(config({"models": {"some": HUB}}, OFF, ON), tmp_path)
    assert [plan.work.study_name for plan in plans] == list(SISTERS)
    table = plan_table(plans, assumed_throughput)
    shared = table[table["stage"].isin(["fetch_model", "describe_model"])]
    assert shared[["study", "stage", "jobs"]].to_numpy().tolist() == [
        ["bayes", "fetch_model", 1],
        ["bayes", "describe_model", 1],
    ]
    text = plan_text(plans, assumed_throughput)
    assert "models=1 " in text.splitlines()[-1]
    assert "some, odd_one_out: 6 layers" in text
    assert "knock_out_heuristics" not in text
    assert "answered right" not in text


def test_arithmetic_and_its_checkpoints_come_first(config):
    studies = {"induction": {"enabled": True, "models": ["tiny-arith", "tiny-arith@step0"]}}
    first, *others = make_plan(config(studies), ROOT)
    assert by_rule(first)["describe_model"].jobs == 7
    assert [plan.stages[0].rule for plan in others] == ["order_drift"] * 2
    alone = make_plan(config(studies, OFF), ROOT)
    assert [by_rule(plan)["describe_model"].jobs for plan in alone] == [1, 1]
    assert by_rule(alone[0])["order_drift"] == by_rule(others[0])["order_drift"]


def test_a_planted_model_is_built_once(config, tmp_path):
    planted = {"models": {"some": {"source": "planted"}}, "arithmetic": {"models": ["some"]}}
    plans = make_plan(config(planted, ON), tmp_path)
    assert [sum(s.rule == "plant_model" for s in plan.stages) for plan in plans] == [1, 0, 0, 0, 0]


def test_nothing_on_is_said(config):
    plans = make_plan(config(OFF), ROOT)
    assert plans == []
    text = plan_text(plans, assumed_throughput)
    assert text.startswith("No study is switched on: set one of arithmetic.enabled, bayes.enabled")
    assert text.splitlines()[-1].startswith("models=0 jobs=0 ")


LARGE = {
    "n_layers": 80, "n_heads": 64, "n_kv_heads": 8, "d_head": 128, "d_model": 8192,
    "d_mlp": 28672, "d_vocab": 128256, "gated_mlp": True,
}  # fmt: skip


def test_a_large_model_is_planned_without_numbers(config, tmp_path):
    """Llama-3.3-70B, of which only the sizes are known."""
    model = {**HUB, "shape": LARGE, "dtype": "bfloat16", "device_map": "auto", "gpus": 4}
    checked = config({"models": {"some": model}}, OFF, {"odd_one_out": ON["odd_one_out"]})
    (plan,) = make_plan(checked, tmp_path)
    stages = by_rule(plan)
    assert stages["fetch_model"].disk_bytes == 2 * plan.shape.n_parameters
    sweeps = stages["odd_one_out_sweeps"]
    assert sweeps.gpus == 4
    assert sweeps.memory_bytes > 141e9
    # 20 pairs of 22 tokens, some of them six times, at 141 GFLOP a token, and the patches
    assert 1e16 < sweeps.flops < 1e18
    table = plan_table([plan], assumed_throughput)
    assert table.loc[table["stage"] == sweeps.rule, "gpu_hours"].item() > 0
    arithmetic = config({"models": {"some": model}, "arithmetic": {"models": ["some"]}})
    with pytest.raises(TokenizerError, match=r"models\.some\.shape\.max_number"):
        make_plan(arithmetic, tmp_path)


@pytest.mark.parametrize("tokenizer", [None, '{"model": {"vocab": {"Sequence": 0}}}'])
def test_a_tokenizer_without_numbers_is_no_matter(config, tmp_path, tokenizer):
    folder = tmp_path / "data" / "models" / "some"
    folder.mkdir(parents=True)
    shutil.copy2(ROOT / "data/models/tiny-induction/config.json", folder)
    if tokenizer:
        (folder / "tokenizer.json").write_text(tokenizer)
    local = {"models": {"some": {"source": "local", "path": "data/models/some"}}}
    plans = make_plan(config(local, ON, OFF), tmp_path)
    assert [plan.shape.n_layers for plan in plans] == [2] * 4


def test_a_table_of_the_users_that_is_missing_is_named(config, tmp_path):
    for study, key in (("power", "pairs"), ("odd_one_out", "people")):
        raw = {"models": {"some": HUB}, study: {"models": ["some"], key: "mine.csv"}}
        with pytest.raises(PromptError, match=r"mine\.csv"):
            make_plan(config(raw), tmp_path, studies=[study])


def test_own_people_and_pairs_count(config, tmp_path):
    people = pd.read_csv(ROOT / "pipeline_lib/stimuli/people.csv")
    people[people["super_class"] != "athlete"].to_csv(tmp_path / "people.csv", index=False)
    plans = [
        make_plan(
            config({"models": {"some": HUB}, "odd_one_out": {"models": ["some"], "people": own}}),
            tmp_path,
            studies=["odd_one_out"],
        )[0]
        for own in ("", "people.csv")
    ]
    shipped, own = (by_rule(plan)["odd_one_out_baselines"].disk_bytes for plan in plans)
    assert own < 0.95 * shipped


def test_a_study_whose_stages_are_unknown_says_so(config, tmp_path, monkeypatch):
    monkeypatch.delitem(STUDIES, "power")
    checked = config({"models": {"some": HUB}, "power": {"models": ["some"]}})
    plans = make_plan(checked, tmp_path, studies=["power"])
    assert [s.rule for s in plans[0].stages] == ["fetch_model", "describe_model", "figures"]
    monkeypatch.delitem(assumed.SISTER_NOTES, "power")
    assert "power: the cost of its stages is not known" in plan_text(plans, assumed_throughput)


def test_wide_models_are_taken_to_be_faster():
    assert assumed.core_tflops(64) == assumed.CORE_TFLOPS
    assert assumed.core_tflops(576) == assumed.WIDE_CORE_TFLOPS


def test_a_model_of_a_package_is_stored_as_it_is_converted(config, tmp_path):
    """Its quantised weights become four bytes each, whatever type they are loaded as."""
    package = {"source": "package", "name": "some", "version": "1.0", "file": "a.gguf"}
    model = {**package, "sha256": "0" * 64, "shape": SHAPE, "dtype": "bfloat16"}
    checked = config({"models": {"some": model}}, OFF, {"bayes": ON["bayes"]})
    (plan,) = make_plan(checked, tmp_path)
    assert by_rule(plan)["fetch_model"].disk_bytes == 4 * plan.shape.n_parameters

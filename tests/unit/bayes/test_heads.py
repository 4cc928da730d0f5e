import numpy as np
import pandas as pd
import pytest
import torch

from pipeline_lib.bayes.columns import AGAINST, NEAR_ZERO, SWEPT
from pipeline_lib.bayes.heads import (
    HeadSettings,
    draw_pairs,
    encode_pairs,
    first_difference,
    judge_pairs,
    place_names,
    sweep_heads,
)
from pipeline_lib.bayes.ranking import rank_heads
from pipeline_lib.bayes.readout import OutcomeTokens
from pipeline_lib.errors import PromptError
from pipeline_lib.interventions import candidate_logits
from pipeline_lib.stimuli.text import read_prompts
from pipeline_lib.sweeps import COLUMNS

SETTINGS = HeadSettings(
    clean=5, corrupt=3, pairs=4, position_pairs=2, min_gap=0.0, template="base", seed=0
)


def test_pairs_have_the_evidence_asked_for(task):
    pairs = draw_pairs(task, SETTINGS)
    assert (pairs["clean"].str.count("x") == 5).all()
    assert (pairs["corrupt"].str.count("x") == 3).all()
    assert (pairs["other"].str.count("x") == 3).all()
    assert not pairs["corrupt"].duplicated().any()
    assert (pairs["corrupt"] != pairs["other"]).all()
    many = draw_pairs(task, HeadSettings(6, 5, 50, 2, 0.0, "base", 0))
    assert len(many) == 6  # as many as there are orders
    assert set(many["clean"]) == {"xxxxxx"}
    assert (many["corrupt"] != many["other"]).all()


def test_pairs_that_cannot_be_divided_by_are_told_apart():
    pairs = pd.DataFrame({"pair": range(4), "clean": "x", "corrupt": "y", "other": "y"})
    clean, corrupt = np.array([1.0, 1.0, 1.0, 1.0]), np.array([0.0, 0.95, 2.0, 1.2])
    found = judge_pairs(pairs, clean, corrupt, 0.1, 1e-5)
    assert found["status"].tolist() == [SWEPT, NEAR_ZERO, AGAINST, AGAINST]
    wide = judge_pairs(pairs, clean, corrupt, 0.1, 0.5)
    assert wide["status"].tolist() == [SWEPT, NEAR_ZERO, AGAINST, NEAR_ZERO]
    assert (wide["floor"] == 0.5).all()


def test_prompts_of_other_lengths_are_refused(model, task):
    pairs = pd.DataFrame({"clean": ["xxxxxxx"], "corrupt": ["xyxyxy"], "other": ["yxyxyx"]})
    with pytest.raises(PromptError, match="different numbers of tokens"):
        encode_pairs(model, task, pairs, "base")


def test_places_are_named_by_draw_or_word(model, task):
    (prompt,) = read_prompts(model.tokenizer, [task.text("xyxxyy", "base")])
    names = place_names(prompt, task, 0)
    assert len(set(names)) == len(names) == len(prompt)
    start = names.index("draw 1")
    assert names[start : start + 7] == [*(f"draw {n}" for n in range(1, 7)), ". #4"]
    assert names[-1].startswith("):") or names[-1].startswith(":")
    assert names[-5].startswith("X")  # of "(X or Y)"
    late = place_names(prompt, task, start + 5)
    assert late[:3] == ["draw 6", ".", "Predict"]
    assert late[-5:-2] == ["X", "or", "Y"]


@pytest.fixture(scope="module")
def swept(model, task):
    return sweep_heads(model, task, SETTINGS)


def test_every_head_is_in_the_tables(model, swept):
    n = int((swept.pairs["status"] == SWEPT).sum())
    assert n >= 1
    assert tuple(swept.heads) == tuple(swept.control) == tuple(swept.positions) == COLUMNS
    assert len(swept.heads) == len(swept.control) == 16
    assert (swept.heads["n"] == n).all()
    assert (swept.positions["n"] == min(n, 2)).all()
    assert len(swept.positions) % 16 == 0
    assert swept.costs["sweep"].tolist() == ["heads", "control", "positions"]
    assert (swept.costs["times_less"] > 1).all()


def test_recovery_is_that_of_plain_hooks(model, task, swept):
    outcomes = OutcomeTokens.measure(model.tokenizer, task.outcomes)
    chosen = swept.pairs[swept.pairs["status"] == SWEPT]
    tokens, _ = encode_pairs(model, task, chosen, "base")
    layer, head = 1, 2
    width = model.d_head
    module = model.attention_outs[layer]
    seen = {}

    def logits(ids, edit=None):
        handle = module.register_forward_pre_hook(lambda _, args: edit(args)) if edit else None
        with torch.no_grad():
            out = model.hf(ids).logits[:, -1]
        if handle:
            handle.remove()
        return outcomes.log_odds(out[:, [*outcomes.x, *outcomes.y]].double().numpy())

    def keep(args):
        seen["z"] = args[0].clone()

    def put(args):
        x = args[0].clone()
        x[..., head * width : (head + 1) * width] = seen["z"][
            ..., head * width : (head + 1) * width
        ]
        return (x,)

    clean, corrupt = logits(tokens["clean"], keep), logits(tokens["corrupt"])
    patched = logits(tokens["corrupt"], put)
    np.testing.assert_allclose(clean - corrupt, chosen["gap"], atol=1e-9)
    row = swept.heads.query("layer == 1 and component == 'head_2'").iloc[0]
    expected = (patched - corrupt) / (clean - corrupt)
    assert row["effect"] == pytest.approx(expected.mean(), abs=1e-8)
    assert row["metric_after"] == pytest.approx(patched.mean(), abs=1e-8)


def test_one_position_at_a_time_starts_where_the_prompts_differ(model, task, swept):
    chosen = swept.pairs[swept.pairs["status"] == SWEPT]
    tokens, prompt = encode_pairs(model, task, chosen, "base")
    first = first_difference(tokens)
    differ = (tokens["clean"] != tokens["corrupt"]) | (tokens["other"] != tokens["corrupt"])
    assert not differ[:, :first].any()
    assert differ[:, first].any()
    assert list(dict.fromkeys(swept.positions["position"])) == place_names(prompt, task, first)
    same = dict.fromkeys(tokens, tokens["corrupt"])
    assert first_difference(same) == tokens["corrupt"].shape[1] - 1


def test_the_last_position_alone_decides_in_the_last_layer(swept):
    """Nothing reads the last layer's heads before it, so both sweeps agree."""
    last = swept.positions["position"].iloc[-1]
    few = swept.positions.query("layer == 3")
    before = few[few["position"] != last]
    assert np.abs(before["effect"]).max() < 1e-9


def test_without_a_pair_that_differs_nothing_is_divided(model, task):
    found = sweep_heads(model, task, HeadSettings(5, 3, 2, 2, 100.0, "base", 0))
    assert set(found.pairs["status"]) == {NEAR_ZERO}
    for table in (found.heads, found.control, found.positions):
        assert (table["n"] == 0).all()
        assert table["effect"].isna().all()
    assert rank_heads(found.heads, found.control, 5).empty


def test_ranked_heads_are_the_largest_either_way():
    common = {"component": ["head_0", "head_1", "head_2"], "layer": 0, "low": 0.0, "high": 1.0}
    heads = pd.DataFrame({**common, "effect": [0.1, -0.5, np.nan]})
    control = pd.DataFrame({**common, "effect": [0.0, 0.2, 0.3]})
    found = rank_heads(heads, control, 5)
    assert found["component"].tolist() == ["head_1", "head_0"]
    assert found["control_effect"].tolist() == [0.2, 0.0]


def test_the_noise_is_that_of_the_readout(model, task, swept):
    outcomes = OutcomeTokens.measure(model.tokenizer, task.outcomes)
    tokens, _ = encode_pairs(model, task, swept.pairs, "base")
    ids = outcomes.table(len(swept.pairs))
    odds = outcomes.log_odds(candidate_logits(model, tokens["clean"], ids).numpy())
    np.testing.assert_allclose(odds, swept.pairs["clean_log_odds"], atol=1e-10)
    assert (swept.pairs["noise_floor"] < 1e-10).all()

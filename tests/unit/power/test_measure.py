import numpy as np
import pandas as pd
import pytest
import torch

from pipeline_lib.errors import PromptError, TokenizerError
from pipeline_lib.power.baseline import Answers, answer, pair_table, token_rows
from pipeline_lib.power.measure import baselines, choose_pairs, counts, log_ratio, status_of


def test_the_log_ratio_sums_the_variants():
    logits = np.log(np.array([[3.0, 1.0, 2.0], [1.0, 1.0, 4.0]]))
    np.testing.assert_allclose(log_ratio(logits, 2), np.log([4 / 2, 2 / 4]))
    assert np.isnan(log_ratio(np.full((1, 3), np.nan), 2)).all()


def test_only_variants_of_one_token_count_and_none_is_an_error(model, answers):
    pieces = model.tokenizer.convert_ids_to_tokens(answers.ids.tolist())
    assert pieces == [" TRUE", " True", "True", " FALSE", " False", "False"]
    assert answers.n_true == 3
    with pytest.raises(TokenizerError, match="FALSE: ' never'"):
        Answers.of(model, [" True"], [" never"])


def test_answers_are_those_of_the_models_own_forward_pass(model, prompts, answers):
    texts = [pair.base for pair in prompts]
    ratio, mass = answer(model, texts, answers)
    for i, text in enumerate(texts):
        logits = model.hf(torch.tensor([text.ids])).logits[0, -1]
        p = logits.softmax(-1)[answers.ids]
        assert ratio[i] == pytest.approx(float((p[:3].sum() / p[3:].sum()).log()), abs=1e-9)
        assert mass[i] == pytest.approx(float(p.sum()), abs=1e-9)


def pairs_of(source, base, lengths=None):
    n = len(source)
    lengths = lengths or [9] * n
    return pd.DataFrame(
        {"line": range(2, n + 2), "source": source, "base": base, "source_tokens": 9}
    ).assign(base_tokens=lengths, source_mass=0.2, base_mass=0.4)


def test_every_pair_has_one_status():
    pairs = pairs_of([1.0, 0.0, 0.5, 1.0], [0.0, 1.0, 0.5001, 0.0], [9, 9, 9, 8])
    strict = status_of(pairs, 0.01, alignment="strict", swept="told_apart")
    assert strict == ["swept", "swept", "within_noise", "unequal_length"]
    right = status_of(pairs, 0.01, alignment="right", swept="ordered")
    assert right == ["swept", "wrong_way", "within_noise", "swept"]
    assert counts(pairs.assign(status=right)) == {
        "pairs": 4, "swept": 2, "wrong_way": 1, "within_noise": 1, "unequal_length": 0,
    }  # fmt: skip


def test_baselines_are_means_and_shares_over_all_pairs():
    source, base = [1.0, -1.0, 2.0, 0.5], [0.0, -2.0, 2.5, -0.5]
    found = baselines(pairs_of(source, base), seed=0).set_index("measure")
    assert found.loc["difference", "value"] == pytest.approx(np.mean(np.subtract(source, base)))
    assert found.loc["ordered", "value"] == 0.75
    assert found.loc["source_true", "value"] == 0.75
    assert found.loc["base_false", "value"] == 0.5
    assert found.loc["mass", "value"] == pytest.approx(0.3)
    # signs of 1, 1, -.5, 1: of 16 flips 4 are as far from 0, all + or all -, each with either .5
    assert found.loc["p", "value"] == pytest.approx(4 / 16)
    row = found.loc["difference"]
    assert row["low"] <= row["value"] <= row["high"]


def test_fewer_pairs_are_the_beginning_of_more_and_hold_the_one_shown():
    pairs = pairs_of([1.0, 0.2, 5.0, 1.0, 1.0], [0.0] * 5).assign(status="swept")
    pairs.loc[0, "status"] = "within_noise"
    every = choose_pairs(pairs, 10, "auto", seed=1)
    assert every[0] == 4
    assert sorted(every) == [3, 4, 5, 6]
    assert choose_pairs(pairs, 2, "auto", seed=1) == every[:2]
    assert choose_pairs(pairs, 1, 6, seed=1) == [6]
    assert choose_pairs(pairs.assign(status="wrong_way"), 3, 6, seed=1) == []


@pytest.mark.parametrize(("line", "said"), [(2, "within_noise"), (77, "no pair is in this line")])
def test_a_pair_that_is_not_swept_cannot_be_shown(line, said):
    pairs = pairs_of([1.0, 0.2], [0.0] * 2).assign(status=["within_noise", "swept"])
    with pytest.raises(PromptError, match=said) as caught:
        choose_pairs(pairs, 3, line, seed=1)
    assert "auto, or the line of one that is: 3" in str(caught.value)


def test_the_table_of_pairs_keeps_what_it_was_given(model, table, prompts, answers):
    given = table.assign(topic="x", source="a column of the user's")
    settings = {"alignment": "strict", "swept": "told_apart"}
    found, floor = pair_table(model, given, prompts, answers, settings)
    assert found["topic"].eq("x").all()
    assert found["source_given"].eq("a column of the user's").all()
    assert found["source"].dtype == np.float64
    assert 0 <= floor < 1e-10
    assert set(found["status"]) == {"swept"}
    rows = token_rows(model, prompts)
    assert rows.groupby("line", sort=False).size().tolist() == [pair.n_swept for pair in prompts]

import numpy as np
import pytest
import torch

from pipeline_lib import store
from pipeline_lib.induction.heads import (
    draw_sequences,
    head_scores,
    measure_heads,
    of_score,
    recall,
    uniform_score,
    write_patterns,
)
from pipeline_lib.induction.kinds import PATTERNS_KIND
from pipeline_lib.interventions import attention_patterns
from pipeline_lib.stimuli.repeated import RepeatedTokens


def sequences(n=4, before=1):
    half = torch.arange(10, 10 + n)
    tokens = torch.cat([torch.ones(before, dtype=torch.int64), half, half])[None]
    return RepeatedTokens(tokens, before, n)


def test_scores_of_heads_that_look_at_one_place_each():
    made, patterns = sequences(), np.zeros((1, 1, 3, 9, 9))
    for query in range(5, 9):
        patterns[0, 0, 0, query, query - 3] = 0.8  # the token after the first occurrence
        patterns[0, 0, 1, query, query - 1] = 0.6
        patterns[0, 0, 2, query, query - 4] = 0.4
    found = head_scores(patterns, made)
    np.testing.assert_allclose(found["induction"][0, 0], [0.8, 0, 0])
    np.testing.assert_allclose(found["previous"][0, 0], [0, 0.6, 0])
    np.testing.assert_allclose(found["same"][0, 0], [0, 0, 0.4])


def test_equal_attention_scores_one_over_what_is_seen():
    made = sequences(n=2, before=0)
    uniform = np.tril(np.ones((4, 4))) / np.arange(1, 5)[:, None]
    found = head_scores(uniform[None, None, None], made)["induction"]
    assert found.item() == pytest.approx(uniform_score(made)) == pytest.approx((1 / 3 + 1 / 4) / 2)


def test_scores_are_means_of_the_models_patterns(model):
    made = draw_sequences(model, 6, 5, prepend_bos=True, seed=1)
    scores, halves = measure_heads(model, made, 1)
    patterns = attention_patterns(model, made.tokens).numpy()
    by_hand = np.mean([patterns[:, :, :, q, q - 4] for q in range(6, 11)], axis=(0, 1))
    np.testing.assert_allclose(of_score(scores, "induction"), by_hand.ravel())
    assert (scores["low"] <= scores["mean"]).all()
    assert (scores["mean"] <= scores["high"]).all()
    assert set(scores["n"]) == {6}
    assert halves["part"].tolist() == ["first", "second"]


def test_recall_counts_first_choices(model, monkeypatch):
    made = sequences()

    def knows_the_second_half(model, tokens, sites):
        logits = torch.zeros(len(tokens), 40)
        n = tokens.shape[1]
        logits[:, made.tokens[0, n] if n > 5 else 0] = 1.0
        return type("Run", (), {"logits": logits})

    monkeypatch.setattr("pipeline_lib.induction.heads.capture", knows_the_second_half)
    found = recall(model, made, np.random.default_rng(0)).set_index("part")["accuracy"]
    assert found.to_dict() == {"first": 0.0, "second": 1.0}


def test_patterns_are_stored_with_their_tokens(model, tmp_path):
    made = draw_sequences(model, 3, 4, prepend_bos=True, seed=0)
    path = str(tmp_path / "patterns.h5")
    write_patterns(path, model, made, ("X", "Y"), prepend_bos=True, provenance={"model": "x"})
    with store.open_artifact(path, PATTERNS_KIND) as artifact:
        assert artifact.read("pattern_orders").shape == (3, 2, 3, 8, 8)
        assert artifact.read("pattern_repeated").shape == (2, 2, 3, 9, 9)
        assert artifact.coords("prompt_orders").tolist() == ["clumped", "mixed", "patterned"]
        tokens = artifact.coords("token_orders").tolist()
        assert tokens[:8] == ["<bos>", "Sequence:", "X", "X", "X", "Y", "Y", "Y"]
        rows = artifact.read("pattern_orders").sum(-1)
        np.testing.assert_allclose(rows, 1, rtol=1e-5)

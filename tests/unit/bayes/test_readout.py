import numpy as np
import pytest

from pipeline_lib.bayes.answering import answer
from pipeline_lib.bayes.readout import OutcomeTokens, share_of
from pipeline_lib.errors import TokenizerError
from pipeline_lib.models.loading import load_model
from tests.word_models import save_word_model, word_tokenizer


def test_the_tokens_are_the_variants_of_one_token(model):
    outcomes = OutcomeTokens.measure(model.tokenizer, ("X", "Y"))
    names = model.tokenizer.convert_ids_to_tokens
    assert names(list(outcomes.x)) == ["ĠX", "X"]
    assert names(list(outcomes.y)) == ["ĠY", "Y"]
    assert names(outcomes.table(3)[1].tolist()) == ["ĠX", "X", "ĠY", "Y"]


def test_p_x_sums_the_variants_of_each_outcome():
    outcomes = OutcomeTokens((1, 2), (3,))
    logits = np.log(np.array([[0.1, 0.2, 0.1], [0.3, 0.3, 0.2]]))
    np.testing.assert_allclose(outcomes.p_x(logits), [0.75, 0.75])
    np.testing.assert_allclose(outcomes.log_odds(logits), np.log([3.0, 3.0]))
    np.testing.assert_allclose(outcomes.p_x(logits + 50), [0.75, 0.75])


def test_shares_of_extreme_odds_are_finite():
    np.testing.assert_allclose(share_of(np.array([-2000.0, 0.0, 2000.0])), [0, 0.5, 1])


def test_an_outcome_of_several_tokens_is_named():
    with pytest.raises(TokenizerError, match=r"no variant[\s\S]*Quick"):
        OutcomeTokens.measure(word_tokenizer(["X or Y"]), ("X", "Quick"))


def test_outcomes_that_share_a_token_are_refused(monkeypatch):
    monkeypatch.setattr("pipeline_lib.bayes.readout.VARIANTS", (" {}", " X"))
    with pytest.raises(TokenizerError, match="'X' and 'Y'"):
        OutcomeTokens.measure(word_tokenizer(["X or Y, X"]), ("X", "Y"))


def test_nothing_runs_before_the_tokens_are_known(tmp_path, monkeypatch, task):
    model = load_model(save_word_model(tmp_path / "words", ["a b"]), name="words")
    monkeypatch.setattr("pipeline_lib.bayes.readout.VARIANTS", (" {}x",))

    def never(*args, **kwargs):
        raise AssertionError("the model ran")

    monkeypatch.setattr("pipeline_lib.bayes.answering.read_last", never)
    with pytest.raises(TokenizerError, match="no variant"):
        answer(model, task, templates=["base"], permutations=1, seed=0)

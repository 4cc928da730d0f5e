import numpy as np
import pandas as pd
import pytest
import torch

from pipeline_lib.bayes.answering import answer
from pipeline_lib.bayes.lens import by_layer
from pipeline_lib.bayes.readout import OutcomeTokens
from pipeline_lib.bayes.running import read_last
from pipeline_lib.bayes.task import correlation, score, slope
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.bernoulli import sample_sequences


@pytest.fixture(scope="module")
def outcomes(model):
    return OutcomeTokens.measure(model.tokenizer, ("X", "Y"))


@pytest.fixture(scope="module")
def prompts(task):
    return task.prompts(sample_sequences(6, 2, generator(0)), "base")


@pytest.fixture(scope="module")
def run(model, outcomes, prompts):
    return read_last(model, prompts["text"].tolist(), outcomes)


def logits_of(model, text):
    ids = torch.tensor([model.tokenizer(text)["input_ids"]])
    with torch.no_grad():
        return model.hf(ids, output_hidden_states=True)


def test_the_last_layers_lens_is_the_models_own_output(run):
    np.testing.assert_allclose(run.logits[:, -1], run.output, atol=1e-10)


def test_the_lens_is_norm_and_unembedding_of_the_hidden_states(model, outcomes, prompts, run):
    for row in (0, 7):
        out = logits_of(model, prompts["text"].iloc[row])
        chosen = [*outcomes.x, *outcomes.y]
        for layer in range(3):  # hidden_states[layer + 1] leaves the layer; the last has the norm
            hidden = model.final_norm(out.hidden_states[layer + 1][0, -1])
            expected = model.unembedding(hidden)[chosen]
            np.testing.assert_allclose(run.logits[row, layer], expected, atol=1e-10)
        last = model.unembedding(out.hidden_states[-1][0, -1])[chosen]
        np.testing.assert_allclose(run.logits[row, 3], last, atol=1e-10)
        probabilities = out.logits[0, -1].softmax(-1)
        np.testing.assert_allclose(run.mass[row], probabilities[chosen].sum(), atol=1e-10)
        assert run.top[row] == probabilities.argmax()
        p = probabilities[chosen]
        expected = (p[:2].sum() / p.sum()).item()
        assert outcomes.p_x(run.output)[row] == pytest.approx(expected)


def test_prompts_of_other_lengths_come_back_in_their_order(model, outcomes, prompts, run, task):
    longer = task.text("xyxxyx", "order_irrelevant")
    texts = [longer, *prompts["text"], longer]
    mixed = read_last(model, texts, outcomes, [1, 3])
    np.testing.assert_allclose(mixed.logits[1:-1], run.logits[:, [1, 3]], atol=1e-9)
    np.testing.assert_allclose(mixed.logits[0], mixed.logits[-1], atol=1e-9)
    assert mixed.layers == (1, 3)


def test_all_tables_of_the_stage_agree(model, task):
    found = answer(model, task, templates=["base", "independent"], permutations=2, seed=1)
    n = 2 * (2 + 5 * 2)
    assert len(found.answers) == n
    assert len(found.lens) == n * 4
    last = found.lens[found.lens["layer"] == 3].reset_index(drop=True)
    np.testing.assert_allclose(last["p_x"], found.answers["p_x"], atol=1e-10)
    np.testing.assert_allclose(last["error"], last["p_x"] - found.answers["bayes"], atol=1e-10)
    same = found.answers.groupby("template")["draws"].agg(list)
    assert same["base"] == same["independent"]
    layers = found.layers.set_index(["template", "layer"])
    scores = found.scores[found.scores["rule"] == "bayes"].set_index("template")
    for template in ("base", "independent"):
        assert layers.loc[(template, 3), "mae"] == pytest.approx(scores.loc[template, "mae"])
        assert layers.loc[template]["best"].sum() == 1
    again = answer(model, task, templates=["base", "independent"], permutations=2, seed=1)
    pd.testing.assert_frame_equal(again.layers, found.layers)


def table_of(p_x, bayes, prior=0.625):
    rules = {name: np.array(bayes) for name in ("bayes", "beta_bernoulli", "frequentist")}
    common = {"template": "base", "n_x": range(len(bayes)), "p_x": p_x, "no_evidence": prior}
    return pd.DataFrame({**common, **rules})


def test_a_perfect_answer_has_no_error_and_gains_what_ignorance_costs():
    bayes = [0.5, 0.55, 0.6, 0.7, 0.75]
    row = score(table_of(bayes, bayes), generator(0)).iloc[0]
    assert (row["mae"], row["bias"]) == (0, 0)
    assert (row["correlation"], row["slope"]) == (pytest.approx(1), pytest.approx(1))
    assert row["gain"] == pytest.approx(np.mean(np.abs(0.625 - np.array(bayes))))
    assert 0 < row["gain_low"] <= row["gain"] <= row["gain_high"]


def test_an_answer_that_ignores_the_draws_gains_nothing():
    row = score(table_of([0.625] * 5, [0.5, 0.55, 0.6, 0.7, 0.75]), generator(0)).iloc[0]
    assert (row["gain"], row["gain_low"], row["gain_high"]) == (0, 0, 0)
    assert row["mae"] == row["no_evidence_mae"]
    assert np.isnan(row["correlation"])
    assert row["slope"] == 0


def test_correlation_and_slope_by_hand():
    one, other = np.array([1.0, 3.0, 2.0, 6.0]), np.array([0.0, 1.0, 2.0, 3.0])
    assert correlation(one, other) == pytest.approx(np.corrcoef(one, other)[0, 1])
    assert slope(one, other) == pytest.approx(np.polyfit(other, one, 1)[0])
    assert np.isnan(slope(one, np.ones(4)))


def test_errors_by_layer_by_hand():
    lens = pd.DataFrame(
        {
            "template": "base",
            "layer": [0, 1] * 4,
            "p_x": [0.5, 0.6, 0.5, 0.6, 0.5, 0.8, 0.5, 0.7],
            "bayes": [0.5, 0.5, 0.6, 0.6, 0.7, 0.7, 0.7, 0.7],
        }
    )
    found = by_layer(lens, 0.6, generator(0)).set_index("layer")
    np.testing.assert_allclose(found["mae"], [0.125, 0.05])
    np.testing.assert_allclose(found["no_evidence_mae"], [0.075, 0.075])
    assert found["best"].tolist() == [False, True]
    assert np.isnan(found.loc[0, "correlation"])

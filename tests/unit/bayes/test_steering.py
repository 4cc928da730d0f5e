import numpy as np
import pandas as pd
import pytest
import torch

from pipeline_lib.bayes.columns import PROBE
from pipeline_lib.bayes.probe import ProbeSettings, probe_beliefs, probe_prompts
from pipeline_lib.bayes.readout import OutcomeTokens, share_of
from pipeline_lib.bayes.steering import (
    Probe,
    SteeringSettings,
    random_direction,
    slopes,
    steer,
)
from pipeline_lib.rng import generator

PROBING = ProbeSettings(30, 12, "base", "order_irrelevant", 1.0, 2, 2, 3)
SETTINGS = SteeringSettings(prompts=5, changes=(-0.25, 0.25), random_directions=3, seed=1)


@pytest.fixture(scope="module")
def probe(model, task):
    probed = probe_beliefs(model, task, PROBING)
    return Probe(probed.layers[0], probed.weights[0], probed.directions[0])


@pytest.fixture(scope="module")
def steered(model, task, probe):
    return steer(model, task, probe, PROBING, SETTINGS)


def test_only_changes_that_keep_a_probability_are_asked(task, steered):
    edits = steered.edits
    n_x = edits["n_x"].to_numpy()
    goal = task.hypotheses.belief(n_x, 6 - n_x) + edits["asked_belief"]
    assert ((goal >= 0) & (goal <= 1)).all()
    np.testing.assert_allclose(edits["asked"], 0.25 * edits["asked_belief"])
    assert set(edits["direction"]) == {PROBE, "random_0", "random_1", "random_2"}


def test_all_directions_get_steps_of_one_length(steered):
    by_edit = steered.edits.groupby(["prompt", "asked_belief"])["step"]
    assert (by_edit.nunique() == 1).all()


def test_the_probe_reads_about_what_was_asked(steered):
    own = steered.edits[steered.edits["direction"] == PROBE]
    assert np.sign(own["read"]).equals(np.sign(own["asked_belief"]))
    np.testing.assert_allclose(own["read"], own["asked_belief"], rtol=0.5)


def test_an_edit_is_that_of_a_plain_hook(model, task, probe, steered):
    outcomes = OutcomeTokens.measure(model.tokenizer, task.outcomes)
    _, test = probe_prompts(task, PROBING)
    rng = generator(SETTINGS.seed, "bayes_steering", "choices")
    chosen = np.sort(rng.permutation(len(test))[: SETTINGS.prompts])
    randoms = [random_direction(model.d_model, rng) for _ in range(3)]
    module = model.layers[probe.layer]

    def p_x(text, vector):
        def add(_, __, output):
            first = output[0] if isinstance(output, tuple) else output
            first = first.clone()
            first[:, -1] += torch.from_numpy(vector)
            return (first, *output[1:]) if isinstance(output, tuple) else first

        handle = module.register_forward_hook(add)
        with torch.no_grad():
            logits = model.hf(torch.tensor([model.tokenizer(text)["input_ids"]])).logits[0, -1]
        handle.remove()
        return share_of(outcomes.log_odds(logits[None, [*outcomes.x, *outcomes.y]].numpy()))[0]

    for _, row in steered.edits.iloc[[0, 1, 6, -1]].iterrows():
        text = test["text"].iloc[chosen[row["prompt"]]]
        name = row["direction"]
        unit = probe.direction if name == PROBE else randoms[int(name.split("_")[1])]
        assert row["before"] == pytest.approx(p_x(text, 0 * unit), abs=1e-9)
        assert row["after"] == pytest.approx(p_x(text, row["step"] * unit), abs=1e-9)
        assert row["change"] == pytest.approx(row["after"] - row["before"])


def edits_of(**changes):
    rows = [
        (prompt, name, asked, change * asked)
        for prompt in range(6)
        for asked in (-0.1, 0.2)
        for name, change in changes.items()
    ]
    return pd.DataFrame(rows, columns=["prompt", "direction", "asked", "change"])


def test_slopes_by_hand():
    randoms = {f"random_{i}": 0.1 * (-1) ** i for i in range(19)}
    found = slopes(edits_of(probe=0.8, **randoms), 2, generator(0)).set_index("direction")
    own = found.loc[PROBE]
    assert own["slope"] == pytest.approx(0.8)
    assert (own["low"], own["high"]) == (pytest.approx(0.8), pytest.approx(0.8))
    assert own["p"] == pytest.approx(1 / 20)
    assert found.loc["random", "slope"] == pytest.approx(-0.1 / 19, abs=0.02)
    weak = slopes(edits_of(probe=0.05, **randoms), 2, generator(0)).set_index("direction")
    assert weak.loc[PROBE, "p"] == 1

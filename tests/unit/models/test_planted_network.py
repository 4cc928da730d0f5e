"""The planted network: everything the truth tables say, measured with the engine on the folder."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoModelForCausalLM

from pipeline_lib import store
from pipeline_lib.errors import ConfigError
from pipeline_lib.heuristics.enumeration import enumerate_heuristics
from pipeline_lib.heuristics.settings import HeuristicSettings
from pipeline_lib.heuristics.types import HEURISTIC_TYPES, Heuristic
from pipeline_lib.interventions import attention_patterns, capture, value_logits
from pipeline_lib.models.architectures import read_model_shape
from pipeline_lib.models.loading import LanguageModel, load_model
from pipeline_lib.models.planted import effects
from pipeline_lib.models.planted.catalogue import features, members, valid
from pipeline_lib.models.planted.folder import as_llama, write_planted_model
from pipeline_lib.models.planted.late import EFFECT, late_neurons
from pipeline_lib.models.planted.network import build_network, feature_directions, model_shape
from pipeline_lib.models.planted.settings import MAX_NUMBER, MAX_OPERAND, PlantedSettings
from pipeline_lib.models.planted.stream import Stream, four_squares
from pipeline_lib.models.tokens import NumberTokens
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import OPERATORS, prompt_text, valid_prompts

DECOYS = 8


def prompts_of(operator: str) -> pd.DataFrame:
    return valid_prompts(operator, min_operand=0, max_operand=MAX_OPERAND, max_number=MAX_NUMBER)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("planted") / "model"
    write_planted_model(PlantedSettings(decoys=DECOYS), path)
    return path


@pytest.fixture(scope="module")
def model(folder) -> LanguageModel:
    return load_model(folder)


@pytest.fixture(scope="module")
def neurons(folder) -> pd.DataFrame:
    return store.read_table(folder / "planted_neurons.csv").fillna("")


def late_posts(model: LanguageModel, operator: str) -> np.ndarray:
    """K maps [prompt, neuron] of the last layer over all valid prompts."""
    tokens = NumberTokens.measure(model.tokenizer).encode(prompts_of(operator))
    run = capture(model, tokens, ("mlp_post",), layers=[2], positions=[-1], keep_logits=False)
    return run.site("mlp_post")[:, 0, 0].numpy()


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_planted_neuron_is_the_indicator_of_its_heuristic(model, neurons, operator):
    found, prompts = late_posts(model, operator), prompts_of(operator)
    own = neurons[(neurons["operator"] == operator) & (neurons["kind"] == "planted")]
    truth = np.stack([Heuristic.from_name(h).members(prompts) for h in own["heuristic"]], axis=1)
    np.testing.assert_allclose(found[:, own["neuron"]], truth, atol=1e-5)
    # exactly two values: prompts outside the heuristic have no order among themselves
    assert all(len(np.unique(column)) == 2 for column in found[:, own["neuron"]].T)


@pytest.mark.parametrize("operator", OPERATORS)
def test_neurons_of_other_operators_are_silent(model, neurons, operator):
    found = late_posts(model, operator)
    active = set(np.flatnonzero(np.abs(found).max(axis=0) > 1e-6).tolist())
    assert active == set(neurons.loc[neurons["operator"] == operator, "neuron"])


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_prompt_is_answered(model, operator):
    prompts, numbers = prompts_of(operator), NumberTokens.measure(model.tokenizer)
    run = capture(model, numbers.encode(prompts), ())
    answers = numbers.number_ids[prompts["answer"].to_numpy()]
    assert (run.logits.argmax(-1).numpy() == answers).all()


def test_a_decoy_is_no_indicator_and_its_map_is_the_designed_one(model, neurons):
    prompts = {operator: prompts_of(operator) for operator in OPERATORS}
    posts = {operator: late_posts(model, operator) for operator in OPERATORS}
    decoys = neurons[neurons["kind"] == "decoy"]
    assert (decoys.groupby("operator").size() == DECOYS).all()
    forms = decoys.groupby("operator")["form"].agg(set)
    assert all(found == {"ramp", "surface", "lookup", "constant"} for found in forms)
    for row in decoys.itertuples():
        found, table = posts[row.operator][:, row.neuron], prompts[row.operator]
        levels = len(np.unique(found.round(5)))
        assert levels == 1 if row.form == "constant" else levels > 20
        if row.form == "ramp":  # a plane over (a, b)
            design = np.stack([np.ones(len(table)), table["a"], table["b"]], axis=1)
            fitted = design @ np.linalg.lstsq(design, found, rcond=None)[0]
            np.testing.assert_allclose(found, fitted, atol=1e-4)


def test_value_rows_promote_the_results_of_the_heuristics_prompts(model, neurons):
    numbers = NumberTokens.measure(model.tokenizer)
    planted = neurons[neurons["kind"] == "planted"]
    logits = value_logits(
        model, 2, torch.tensor(planted["neuron"].to_numpy()), torch.tensor(numbers.number_ids)
    ).numpy()
    for row, (_, neuron) in zip(logits, planted.iterrows(), strict=True):
        prompts = prompts_of(neuron["operator"])
        inside = Heuristic.from_name(neuron["heuristic"]).members(prompts)
        promoted = np.isin(np.arange(MAX_NUMBER + 1), prompts["answer"][inside])
        assert np.ptp(row[promoted]) < 1e-5 * row.max()
        assert row[promoted].min() > row[~promoted].max() + 0.5
        # on results the heuristic holds of exactly the promoted ones that the operator has
        if neuron["heuristic"].startswith("result"):
            accepted = Heuristic.from_name(neuron["heuristic"]).accepts(np.arange(MAX_NUMBER + 1))
            assert (accepted[prompts["answer"]] == promoted[prompts["answer"]]).all()


def test_heads_attend_where_the_table_says(folder, model):
    table = store.read_table(folder / "planted_heads.csv")
    prompts = pd.concat([prompts_of(operator).sample(20, random_state=1) for operator in OPERATORS])
    numbers = NumberTokens.measure(model.tokenizer)
    patterns = attention_patterns(model, numbers.encode(prompts))
    columns = {"operand1": 1, "operator": 2, "operand2": 3}
    for row in table.itertuples():
        attention = patterns[:, row.layer, row.head].numpy()
        assert (attention[:, 4, columns[row.moves]] == 1).all()
        assert (attention[:, :4, 0] == 1).all()  # everywhere else BOS, which says nothing
    assert table.loc[table["kind"] == "planted", "moves"].tolist() == [
        "operand1", "operand2", "operator",
    ]  # fmt: skip


def test_a_longer_prompt_is_answered_too(model):
    """Heads count positions back from "=": solved examples in front change nothing."""
    numbers = NumberTokens.measure(model.tokenizer)
    prompts = prompts_of("sub").iloc[::50]
    few_shot = numbers.encode(prompts, "13+27=40;".replace(";", "+"))
    run = capture(model, few_shot, ())
    answers = numbers.number_ids[prompts["answer"].to_numpy()]
    assert (run.logits.argmax(-1).numpy() == answers).all()


def test_the_folder_loads_with_transformers_alone(folder, model):
    plain = AutoModelForCausalLM.from_pretrained(folder)
    texts = prompt_text(prompts_of("mul").iloc[::40])
    ids = torch.tensor(model.tokenizer(texts)["input_ids"])
    with torch.no_grad():
        expected = as_llama(build_network(PlantedSettings(decoys=DECOYS)))(ids).logits
        torch.testing.assert_close(plain(ids).logits, expected, rtol=0, atol=0)
    assert read_model_shape(folder) == model_shape()


def test_every_type_is_planted_on_every_target_it_has():
    by_operator = {
        operator: {
            (f.heuristic.type_name, f.heuristic.target)
            for f in features()
            if f.operator == operator
        }
        for operator in OPERATORS
    }
    possible = {(kind.type_name, target) for kind in HEURISTIC_TYPES for target in kind.targets}
    not_of_div = {("modulo", "result"), ("pattern", "result")}
    for operator, found in by_operator.items():
        missing = not_of_div if operator == "div" else {("multi_value", "result")}
        assert found == possible - missing


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_matching_looks_for_every_planted_heuristic(operator):
    enumerated = enumerate_heuristics(operator, HeuristicSettings(), prompts_of(operator))
    known = {heuristic.name for heuristic in enumerated}
    planted = {f.heuristic.name for f in features() if f.operator == operator}
    assert {name for name in planted if not name.startswith("result_values")} <= known


def test_planted_neurons_have_one_mean_effect_and_decoys_less():
    stream = Stream(len(features()))
    settings = PlantedSettings(decoys=DECOYS)
    written = stream.vector("features", feature_directions(settings))
    rng = generator(0, "test")
    for neuron in late_neurons(stream, features(), written, DECOYS, rng):
        expected = effects.mean_effect(neuron.operator, neuron.activation, neuron.row)
        if neuron.heuristic:
            assert expected == pytest.approx(EFFECT)
        else:
            assert abs(expected) < EFFECT / 3


def test_the_mean_effect_is_the_average_over_all_pairs():
    feature = features()[3]
    activation = members(feature).astype(float)
    row = np.arange(MAX_NUMBER + 1.0) ** 1.5
    k, v = activation[valid("add")], row[effects.answers("add")]
    total = []
    for name in OPERATORS:
        other = effects.answers(name)
        other_k = k if name == "add" else np.zeros(len(other))
        change = (other_k - k[:, None]) * (row[other] - v[:, None]) / 2
        total.append(change.mean())
    assert effects.mean_effect("add", activation, row) == pytest.approx(np.mean(total))
    estimate = effects.root_mean_square_effect("add", activation, row, generator(0, "pairs"))
    assert estimate >= abs(np.mean(total))


@pytest.mark.parametrize("noise", [0.25, 2.0])
def test_noise_has_the_stated_deviation_and_no_order(tmp_path, noise):
    network = write_planted_model(PlantedSettings(noise=noise, decoys=4), tmp_path)
    model = load_model(tmp_path)
    ratios, correlations = [], []
    for operator in OPERATORS:
        found, prompts = late_posts(model, operator), prompts_of(operator)
        table = network.neurons[network.neurons["operator"] == operator]
        for row in table[table["kind"] == "planted"].itertuples():
            truth = Heuristic.from_name(row.heuristic).members(prompts).astype(float)
            added = found[:, row.neuron] - truth
            ratios.append(added.std() / truth.std())
            correlations.append(np.corrcoef(added, truth)[0, 1])
    assert np.mean(ratios) == pytest.approx(noise, rel=0.05)
    assert abs(np.mean(correlations)) < 0.03
    assert np.abs(correlations).mean() < 0.1


def test_superposition_adds_the_overlaps_of_other_features(tmp_path):
    settings = PlantedSettings(superposition=0.5, decoys=0)
    network = write_planted_model(settings, tmp_path)
    directions = feature_directions(settings)
    assert directions.shape == (len(features()), round(len(features()) / 2))
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    model, prompts = load_model(tmp_path), prompts_of("add")
    own = [n for n, feature in enumerate(features()) if feature.operator == "add"]
    truth = np.stack([features()[n].heuristic.members(prompts) for n in own], axis=1)
    expected = truth @ (directions[own] @ directions[own].T)
    rows = network.neurons[network.neurons["operator"] == "add"]
    found = late_posts(model, "add")[:, rows["neuron"]]
    # the norm of the stream is no longer constant: its size enters twice, in gate and up
    np.testing.assert_allclose(found, expected, atol=0.05)
    overlaps = np.abs(directions[own] @ directions[own].T)[~np.eye(len(own), dtype=bool)]
    assert 0.5 < network.overlap / overlaps.mean() < 2


@pytest.mark.parametrize("levels", [(0.0, 0.25, 0.5, 0.9)])
def test_overlap_grows_with_superposition(levels):
    overlaps = [build_network(PlantedSettings(superposition=s, decoys=0)).overlap for s in levels]
    assert overlaps[0] == 0
    assert overlaps == sorted(overlaps)


def test_the_seed_decides_the_weights():
    first, again, other = (
        build_network(PlantedSettings(noise=0.5, decoys=4, seed=seed)) for seed in (1, 1, 2)
    )
    assert all((first.weights[name] == again.weights[name]).all() for name in first.weights)
    assert not first.neurons["neuron"].equals(other.neurons["neuron"])


def test_without_decoys_there_are_none():
    network = build_network(PlantedSettings(decoys=0))
    assert set(network.neurons["kind"]) == set(network.heads["kind"]) == {"planted"}
    assert len(network.neurons) == len(features())


@pytest.mark.parametrize(
    "values", [{"noise": -0.1}, {"superposition": 0.96}, {"decoys": 65}, {"noise": float("nan")}]
)
def test_settings_out_of_range_are_refused(values):
    with pytest.raises(ConfigError, match=next(iter(values))):
        PlantedSettings(**values)


@pytest.mark.parametrize("total", [0, 1, 7, 23, 7160, 8191])
def test_every_number_is_a_sum_of_four_squares(total):
    assert sum(part**2 for part in four_squares(total)) == total

"""A checkpoint's effects, scores, labels and means against other ways to compute them."""

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline_lib.artifacts import calibration
from pipeline_lib.artifacts.map_writing import neuron_value_logits
from pipeline_lib.artifacts.scores import write_scores
from pipeline_lib.checkpoints import scoring
from pipeline_lib.checkpoints.matching import classify_checkpoints, match_checkpoints
from pipeline_lib.heuristics.calibration.chains import Calibration
from pipeline_lib.heuristics.calibration.evidence import Evidence
from pipeline_lib.heuristics.calibration.table import LINK_COLUMNS
from pipeline_lib.heuristics.settings import HeuristicSettings
from pipeline_lib.heuristics.types import Heuristic
from pipeline_lib.interventions import attribute, capture, mean_activations
from pipeline_lib.interventions.capture import predict_tokens
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import every_prompt, pair_table, valid_prompts
from pipeline_lib.stimuli.context import PromptContext
from tests.unit.interventions import naive

MATCHED = {"kind": "hybrid", "max_base_rate": 1.0, "min_share": 0.05}
SETTINGS = {"importance": "mean", "per_layer": 3, "first_heuristics_layer": 1}


@pytest.fixture(scope="module")
def context(number_tokens):
    nothing = valid_prompts("add", min_operand=0, max_operand=1, max_number=99).iloc[:0]
    return PromptContext(
        number_tokens, {"add": nothing, "sub": nothing, "mul": nothing, "div": nothing}
    )


@pytest.fixture(scope="module")
def pairs(prompt_pairs):
    return pair_table(*prompt_pairs)


def effects_by_hand(model, context, prompt_pairs):
    """Last-position attribution from activations at all positions."""
    tokens, other = (context.encode(table) for table in prompt_pairs)
    answers = (context.asked(table)[1] for table in prompt_pairs)
    found = attribute(model, tokens, *answers, capture(model, tokens), capture(model, other))
    return found.neurons[:, -1].numpy()


@pytest.mark.parametrize("at_once", [2, 512])
def test_effects_are_those_of_the_attribution_stage(
    tiny_model, context, pairs, prompt_pairs, at_once, monkeypatch
):
    monkeypatch.setattr(scoring, "PAIRS_AT_ONCE", at_once)
    found = scoring.last_effects(tiny_model, context, pairs, method="gradient", steps=2)
    expected = effects_by_hand(tiny_model, context, prompt_pairs)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_top_neurons_pool_the_pairs_of_all_seeds(llama_model, context, pairs, prompt_pairs):
    tables = [pairs.iloc[:4], pairs.iloc[4:]]
    found = scoring.top_neurons_of(
        llama_model, context, tables, SETTINGS, method="gradient", steps=2, operator="sub"
    )
    mean = effects_by_hand(llama_model, context, prompt_pairs).mean(axis=0)
    assert found["layer"].tolist() == [1, 1, 1, 2, 2, 2]
    for layer in (1, 2):
        chosen = found.loc[found["layer"] == layer, "neuron"].tolist()
        assert chosen == np.argsort(-mean[layer])[:3].tolist()
    none = scoring.top_neurons_of(
        llama_model, context, [pairs.iloc[:0]], SETTINGS, method="gradient", steps=2, operator="sub"
    )
    assert len(none) == 0


def test_exact_ranking_is_by_patching_each_neuron(llama_model, context, pairs, prompt_pairs):
    exact = {"prompts": 4, "seed": 3}
    how = {"operator": "sub", "method": "gradient", "steps": 2, "exact": exact}
    found = scoring.top_neurons_of(llama_model, context, [pairs], SETTINGS, **how)
    rows = generator(3, "exact_prompts", "sub").permutation(len(pairs))[:4]
    tokens, other = (context.encode(table.iloc[rows]) for table in prompt_pairs)
    r, cf = (context.asked(table.iloc[rows])[1] for table in prompt_pairs)
    clean, source = naive.run(llama_model, tokens), naive.inputs(llama_model, other)
    row = torch.arange(4)

    def odds(logits):
        return (logits[row, cf] - logits[row, r]).double()

    for layer in (1, 2):
        effect = []
        for neuron in range(llama_model.d_mlp):

            def edit(x, layer=layer, neuron=neuron):
                x = x.clone()
                x[:, -1, neuron] = source[layer, 1][:, -1, neuron]
                return x

            module = naive.projections(llama_model)[layer][1]
            patched = naive.run(llama_model, tokens, [(module, edit)])
            effect.append(float((odds(patched) - odds(clean)).mean()) / 2)
        top = np.argsort(-np.array(effect))[:3]
        chosen = found[found["layer"] == layer]
        assert chosen["neuron"].tolist() == top.tolist()
        np.testing.assert_allclose(chosen["importance"], np.array(effect)[top], atol=1e-5)


def scored(model, context, folder, neurons, operator="sub"):
    prompts = valid_prompts(operator, min_operand=0, max_operand=12, max_number=99)
    return prompts, scoring.score_checkpoint(
        model, context, prompts, neurons, HeuristicSettings(),
        operator=operator, max_operand=12, dtype="float32", scratch=folder, **MATCHED,
    )  # fmt: skip


def test_labels_and_scores_are_those_of_the_maps(llama_model, context, tmp_path):
    neurons = pd.DataFrame({"layer": [1, 2, 2], "neuron": [5, 0, 7]})
    prompts, (labelled, scores, index, _) = scored(llama_model, context, tmp_path, neurons)
    tokens = context.encode(prompts)
    numbers = context.tokens.number_of(predict_tokens(llama_model, tokens).numpy())
    assert labelled["predicted"].tolist() == numbers.tolist()
    assert (labelled["label"] == "correct").tolist() == (numbers == prompts["answer"]).tolist()
    post = capture(llama_model, tokens, ("mlp_post",), positions=[-1]).site("mlp_post")[:, 0]
    for row, (layer, neuron) in enumerate(neurons.to_numpy()):
        activation = post[:, layer, neuron].numpy()
        for name in ("op1_range_0_10", "op2_mod_2_1", "pair_same"):
            member = Heuristic.from_name(name).members(prompts)
            top = np.argsort(-activation)[: member.sum()]
            column = index.names.index(name)
            assert scores.k.top[row, column] == pytest.approx(member[top].mean(), abs=1e-6)
    assert list(tmp_path.iterdir()) == []  # the maps are not kept


def test_a_checkpoint_without_neurons_is_labelled_all_the_same(llama_model, context, tmp_path):
    none = pd.DataFrame({"layer": [], "neuron": []}, dtype=np.int64)
    prompts, (labelled, scores, _, links) = scored(llama_model, context, tmp_path, none)
    predicted = predict_tokens(llama_model, context.encode(prompts)).numpy()
    assert labelled["predicted"].tolist() == context.tokens.number_of(predicted).tolist()
    assert scores.k.top.shape[0] == 0
    assert links.empty
    assert list(links) == LINK_COLUMNS


def test_links_are_those_of_each_neurons_own_map(llama_model, context, tmp_path, monkeypatch):
    monkeypatch.setattr(calibration, "BLOCK", 2)  # the third neuron is in another block
    neurons = pd.DataFrame({"layer": [1, 2, 2], "neuron": [5, 0, 7]})
    prompts, (_, _, index, links) = scored(llama_model, context, tmp_path, neurons)
    assert list(links) == LINK_COLUMNS
    assert (links["p_value"] == 1).all()  # not tested: the final model's cut decides
    tokens = context.encode(prompts)
    post = capture(llama_model, tokens, ("mlp_post",), positions=[-1]).site("mlp_post")[:, 0]
    logits = neuron_value_logits(llama_model, neurons, context.answer_ids)
    chains = Calibration(Evidence.build(index), "hybrid", MATCHED["min_share"])
    n_links = 0
    for row, (layer, neuron) in enumerate(neurons.to_numpy().tolist()):
        value = logits[row][prompts["answer"].to_numpy()]
        expected = chains.chain(post[:, layer, neuron].numpy(), value)
        own = links[(links["layer"] == layer) & (links["neuron"] == neuron)]
        assert own["link"].tolist() == list(range(len(expected)))
        assert own["heuristic"].tolist() == [link.heuristic.name for link in expected]
        assert own["share"].tolist() == pytest.approx([link.share for link in expected], abs=1e-4)
        n_links += len(own)
    assert n_links == len(links) > len(neurons)


def test_means_over_all_prompts_and_over_a_sample(llama_model, context):
    every = every_prompt(["add", "sub", "mul", "div"], max_operand=6, max_number=99)
    options = {"max_operand": 6, "rng": np.random.default_rng(3)}
    means, n = scoring.sampled_means(llama_model, context, n_prompts=1000, **options)
    assert n == len(every) == 4 * 36
    expected = mean_activations(llama_model, context.encode(every))
    np.testing.assert_allclose(means.site("z"), expected.site("z"), rtol=1e-5, atol=1e-6)
    # the mean over many samples of 20 prompts is the mean over all
    draws = (
        scoring.sampled_means(llama_model, context, n_prompts=20, **options) for _ in range(60)
    )
    samples = np.stack([drawn.site("mlp_post")[0, -1] for drawn, _ in draws])
    error = np.abs(samples.mean(axis=0) - expected.site("mlp_post")[0, -1].numpy())
    spread = samples.std(axis=0) / np.sqrt(len(samples))
    assert spread.min() > 0
    assert (error < 5 * spread).all()


def test_matches_of_all_checkpoints_are_told_apart(llama_model, context, tmp_path):
    files = {}
    for number, checkpoint in enumerate(("step0", "step5")):
        for operator in ("sub", "add"):
            neurons = pd.DataFrame({"layer": [1, 2], "neuron": [number, 10 + number]})
            _, (_, scores, index, _) = scored(llama_model, context, tmp_path, neurons, operator)
            files[checkpoint, operator] = tmp_path / f"{checkpoint}_{operator}.h5"
            write_scores(files[checkpoint, operator], scores, index, {})
    limits = {"max_base_rate": 1.0, "max_operand": 12, "max_number": 99}
    options = {"kind": "K", "threshold": 0.7, **limits}
    table = match_checkpoints(files, HeuristicSettings(), **options)
    assert set(table["kind"]) == {"K"}
    assert table["score"].min() >= np.float32(0.7)
    for (checkpoint, operator), rows in table.groupby(["checkpoint", "operator"]):
        expected = {0, 10} if checkpoint == "step0" else {1, 11}
        assert set(rows["neuron"]) <= expected, operator
    assert len(table.groupby(["checkpoint", "operator"])) == 4
    few = match_checkpoints(files, HeuristicSettings(), **{**options, "threshold": 0.9})
    assert 0 < len(few) < len(table)
    nothing = match_checkpoints(files, HeuristicSettings(), **{**options, "max_base_rate": 0.0})
    assert len(nothing) == 0
    assert list(nothing.columns) == list(table.columns)


def final_neurons(evidence):
    """Neurons of a final model with their verdicts: all but the last are classified."""
    n = len(evidence)
    names = {"layer": 1, "neuron": range(n), "classified": [True] * (n - 1) + [False]}
    return pd.DataFrame({**names, "evidence": evidence})


def test_checkpoints_are_classified_by_the_final_models_cut(llama_model, context, tmp_path):
    files, links = {}, {}
    for number, checkpoint in enumerate(("step0", "step5")):
        for operator in ("sub", "add"):
            neurons = pd.DataFrame({"layer": [1, 2], "neuron": [number, 10 + number]})
            _, (_, scores, index, own) = scored(llama_model, context, tmp_path, neurons, operator)
            files[checkpoint, operator] = tmp_path / f"{checkpoint}_{operator}.h5"
            write_scores(files[checkpoint, operator], scores, index, {})
            links[checkpoint, operator] = own
    first = {key: own[own["link"] == 0] for key, own in links.items()}
    cuts = {
        operator: float(
            np.median(
                pd.concat(f for (_, name), f in first.items() if name == operator)["evidence"]
            )
        )
        for operator in ("sub", "add")
    }
    # the least evidence of the classified ones is the cut; the unclassified one's is smaller
    final = {operator: final_neurons([0.99, cut, 0.0]) for operator, cut in cuts.items()}
    limits = {"kind": "hybrid", "min_share": 0.0, "max_operand": 12, "max_number": 99}
    settings = HeuristicSettings()
    table = classify_checkpoints(files, links, final, settings, **limits)
    found = set(
        table[["checkpoint", "operator", "layer", "neuron", "link"]].itertuples(False, None)
    )
    expected = {
        (*key, row.layer, row.neuron, row.link)
        for key, own in links.items()
        for row in own.itertuples()
        if first[key].set_index(["layer", "neuron"])["evidence"][row.layer, row.neuron]
        >= cuts[key[1]]
    }
    assert found == expected
    assert 0 < len(found) < sum(map(len, links.values()))
    assert set(table["operator"]) == {"sub", "add"}
    nothing = {operator: final_neurons([0.5]) for operator in cuts}  # no neuron is classified
    none = classify_checkpoints(files, links, nothing, settings, **limits)
    assert none.empty
    assert list(none.columns) == list(table.columns)

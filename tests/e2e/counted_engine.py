"""FLOPs of the stages that run, patch or read the model as it is, for one operator."""

from functools import partial

import pandas as pd
import torch

from pipeline_lib import store
from pipeline_lib.artifacts.activations import join
from pipeline_lib.artifacts.answers import answer_tokens
from pipeline_lib.artifacts.attention import write_patterns, write_pictures
from pipeline_lib.artifacts.effects import columns_of
from pipeline_lib.artifacts.map_writing import write_maps
from pipeline_lib.artifacts.neuron_effects import read_neuron_effects
from pipeline_lib.artifacts.numbers import write_keys, write_mlp0, write_outputs, write_ov_maps
from pipeline_lib.artifacts.residuals import open_residuals
from pipeline_lib.artifacts.verification import read_pairs
from pipeline_lib.interventions.attribute import attribute
from pipeline_lib.interventions.capture import capture, predict_tokens
from pipeline_lib.interventions.means import mean_activations
from pipeline_lib.interventions.patch import patch_components
from pipeline_lib.models.loading import load_model
from pipeline_lib.neurons.exact import choose_neurons, choose_prompts, measure_neurons
from pipeline_lib.probing.answers import probe_answers
from pipeline_lib.probing.tasks import sample_correct
from pipeline_lib.probing.training import ProbeSettings
from pipeline_lib.rivals.codes import CodeSettings, operator_codes
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import counterfactual_prompts, every_prompt
from pipeline_lib.verification.verify import verify_engine
from tests.e2e.given import Given
from tests.flops import counted


def label(given: Given, operator):
    return counted(
        predict_tokens, given.model, given.context.encode(given.prompts(operator, "labelled"))
    )


def clean(given: Given, operator):
    return counted(capture, given.model, given.context.encode(given.prompts(operator, "discovery")))


def counterfactual(given: Given, operator):
    tables = [given.prompts(operator, f"counterfactual_seed{seed}") for seed in given.seeds]
    tokens = [given.context.encode(counterfactual_prompts(table)) for table in tables]
    return sum(counted(capture, given.model, part) for part in tokens)


def effects(given: Given, operator):
    total = 0
    for name in (f"counterfactual_seed{seed}" for seed in given.seeds):
        pairs = given.prompts(operator, name)
        total += counted(
            patch_components,
            given.model,
            given.context.encode(pairs),
            given.cached(operator, name),
            *answer_tokens(given.context.answer_ids, pairs),
            positions=columns_of(given.settings.effects.positions),
        )
    return total


def attribution(given: Given, operator):
    names = [f"counterfactual_seed{seed}" for seed in given.settings.attribution.seeds]
    pairs = pd.concat([given.prompts(operator, name) for name in names], ignore_index=True)
    return counted(
        attribute,
        given.model,
        given.context.encode(pairs),
        *answer_tokens(given.context.answer_ids, pairs),
        join([given.cached(operator, "clean")] * len(names)),
        join([given.cached(operator, name) for name in names]),
    )


def exact(given: Given, operator):
    chosen, total = given.settings.exact, 0
    effects = read_neuron_effects(given.study / "attribution" / f"{operator}.h5")
    rng = generator(chosen.seed, "exact_neurons", operator)
    neurons = choose_neurons(effects.mean(axis=0), chosen.neurons, rng)
    clean_run = given.cached(operator, "clean")
    rows = choose_prompts(len(clean_run), chosen.prompts, chosen.seed, operator)
    for seed in given.settings.attribution.seeds:
        name = f"counterfactual_seed{seed}"
        pairs = given.prompts(operator, name).iloc[rows]
        total += counted(
            measure_neurons,
            given.model,
            given.context.encode(pairs),
            answer_tokens(given.context.answer_ids, pairs),
            clean_run.prompts(torch.from_numpy(rows)),
            given.cached(operator, name).prompts(torch.from_numpy(rows)),
            neurons,
            steps=given.settings.attribution.steps,
        )
    return total


def verified(given: Given, operator):
    if operator != given.settings.operators[0]:
        return 0  # one job for all operators
    names = [
        f"prompts/{name}/counterfactual_seed{given.seeds[0]}.csv"
        for name in given.settings.operators
    ]
    pairs = read_pairs(
        [str(given.study / name) for name in names],
        given.context,
        given.settings.verification.prompts,
    )
    rng = generator(given.settings.verification.seed, "verify_engine")
    folder = given.project / "data" / "models" / "tiny-arith"
    load = partial(load_model, folder, name="tiny-arith")
    return counted(verify_engine, load, pairs, given.settings.verification.patches, rng)


def residuals(given: Given, operator):
    chosen = given.settings.probe
    rng = generator(chosen.seed, "cache_residuals", operator)
    sampled = sample_correct(given.prompts(operator, "labelled"), chosen.prompts, rng)
    return counted(capture, given.model, given.context.encode(sampled))


def probes(given: Given, operator):
    chosen = given.settings.probe
    with open_residuals(given.study / "residuals" / f"{operator}.h5") as kept:
        return counted(
            probe_answers,
            kept.layers,
            kept.answers,
            operator=operator,
            positions=kept.positions,
            n_layers=kept.n_layers,
            n_numbers=given.context.tokens.max_number + 1,
            d_model=kept.d_model,
            settings=ProbeSettings(epochs=chosen.epochs, batch=chosen.batch),
            test_share=chosen.test_share,
            rng=generator(chosen.seed, "probe_answers", operator),
        )


def maps(given: Given, operator):
    labelled = given.prompts(operator, "labelled")
    return counted(
        write_maps,
        given.scratch.mktemp("maps") / "maps.h5",
        given.model,
        given.context.encode(labelled),
        labelled,
        store.read_table(given.study / "neurons" / f"{operator}.csv"),
        given.context.answer_ids,
        dtype="float32",
        provenance={},
    )


def all_means(given: Given, operator):
    if operator != given.settings.operators[0]:
        return 0  # one job for all operators
    every = every_prompt(
        list(given.settings.operators),
        max_operand=given.settings.prompts.max_operand,
        max_number=given.context.tokens.max_number,
    )
    return counted(mean_activations, given.model, given.context.encode(every))


def attended(given: Given, operator):
    if operator != given.settings.operators[0]:
        return 0  # one job for all operators
    size = min(given.settings.heads.operands, given.context.tokens.max_number + 1)
    folder = given.scratch.mktemp("attention")
    names = list(given.settings.operators)
    return counted(
        write_patterns,
        folder / "patterns.h5",
        given.model,
        given.context.encode,
        given.evaluated(given.settings.heads.prompts),
        provenance={},
    ) + counted(
        write_pictures,
        folder / "pictures.h5",
        given.model,
        given.context.encode,
        names,
        size=size,
        provenance={},
    )


def numbers(given: Given, operator):
    if operator != given.settings.operators[0]:
        return 0  # one job for all operators
    ids = given.context.answer_ids[: given.settings.prompts.max_operand]
    folder, bos = given.scratch.mktemp("numbers"), given.context.tokens.bos_id
    source = given.settings.heads.ov_source
    return counted(
        write_ov_maps, folder / "ov.h5", given.model, ids, source=source, provenance={}
    ) + counted(write_mlp0, folder / "mlp0.h5", given.model, bos, ids, provenance={})


def vectors(given: Given, operator):
    folder = given.scratch.mktemp("vectors")
    neurons = store.read_table(given.study / "neurons" / f"{operator}.csv")
    ids = given.context.answer_ids
    keys = counted(write_keys, folder / "keys.h5", given.model, neurons, ids, provenance={})
    if operator != given.settings.operators[0]:
        return keys  # outputs of all operators are written given.at once
    return keys + counted(
        write_outputs,
        folder / "outputs.h5",
        given.model,
        given.context.encode,
        given.evaluated(given.settings.embeddings.prompts),
        layer=given.model.n_layers - 1,
        provenance={},
    )


def codes(given: Given, operator):
    keys = ("periods", "prompts_per_number", "draws", "pairs", "seed")
    chosen = given.settings.rivals.model_dump(include=set(keys))
    evaluation, ids = given.prompts(operator, "evaluation"), given.context.answer_ids
    return counted(
        operator_codes,
        given.model,
        given.context.encode,
        ids,
        operator,
        evaluation,
        CodeSettings(**chosen),
    )

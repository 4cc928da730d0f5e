"""FLOPs of the plan against those that torch counts, with the inputs of the finished run."""

from functools import partial
from itertools import product

import pandas as pd
import pytest
import torch

from pipeline_lib import store
from pipeline_lib.artifacts.activations import join, read_activations
from pipeline_lib.artifacts.attention import write_patterns, write_pictures
from pipeline_lib.artifacts.effects import answer_tokens, columns_of
from pipeline_lib.artifacts.maps import write_maps
from pipeline_lib.artifacts.means import read_means
from pipeline_lib.artifacts.nulls import null_tables
from pipeline_lib.artifacts.numbers import write_keys, write_mlp0, write_outputs, write_ov_maps
from pipeline_lib.artifacts.ranking import read_neuron_effects, read_ranking
from pipeline_lib.artifacts.residuals import open_residuals
from pipeline_lib.artifacts.verification import read_pairs
from pipeline_lib.checkpoints.names import FINAL
from pipeline_lib.checkpoints.scoring import sampled_means, score_checkpoint, top_neurons_of
from pipeline_lib.checkpoints.subject import Subject, knock_out, measure_shared
from pipeline_lib.circuits.faithfulness import draw_prompts, measure_circuits
from pipeline_lib.circuits.random_sets import measure_sets
from pipeline_lib.circuits.ranking import Head
from pipeline_lib.circuits.study import study_curves
from pipeline_lib.heuristics.index import HeuristicIndex
from pipeline_lib.heuristics.settings import HeuristicSettings
from pipeline_lib.heuristics.types import membership
from pipeline_lib.interventions.attribute import attribute
from pipeline_lib.interventions.capture import capture, predict_tokens
from pipeline_lib.interventions.means import mean_activations
from pipeline_lib.interventions.patch import patch_components
from pipeline_lib.knockouts.ablation import ablated_correctness
from pipeline_lib.knockouts.by_heuristic import knock_out_heuristics, neurons_by_heuristic
from pipeline_lib.knockouts.by_prompt import knock_out_prompts
from pipeline_lib.knockouts.setting import Setting
from pipeline_lib.models.loading import load_model
from pipeline_lib.neurons.exact import choose_neurons, choose_prompts, measure_neurons
from pipeline_lib.neurons.importance import first_layer
from pipeline_lib.probing.answers import probe_answers
from pipeline_lib.probing.tasks import sample_correct
from pipeline_lib.probing.training import ProbeSettings
from pipeline_lib.rivals.codes import CodeSettings, operator_codes
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import counterfactual_prompts, every_prompt, some_prompts
from pipeline_lib.stimuli.context import PromptContext
from pipeline_lib.verification.verify import verify_engine
from tests.flops import counted

SITES = ("z", "mlp_post")
RULES = ("threshold", "fdr")


@pytest.fixture(scope="module")
def model(finished_project):
    return load_model(finished_project / "data" / "models" / "tiny-arith", name="tiny-arith")


@pytest.fixture(scope="module")
def run(plan, study, model, finished_project, tmp_path_factory):
    """FLOPs of one stage for one operator, with the inputs of the finished run."""
    context = PromptContext.read(study / "prompts" / "context.json", model.tokenizer)
    settings, seeds = plan.work.study, plan.work.study.seeds
    chosen_prompts = settings.verification.prompts

    def prompts(operator, name):
        return store.read_table(study / "prompts" / operator / f"{name}.csv")

    def cached(operator, name):
        return read_activations(study / "activations" / operator / f"{name}.h5", SITES)

    def label(operator):
        return counted(predict_tokens, model, context.encode(prompts(operator, "labelled")))

    def clean(operator):
        return counted(capture, model, context.encode(prompts(operator, "discovery")))

    def counterfactual(operator):
        tables = [prompts(operator, f"counterfactual_seed{seed}") for seed in seeds]
        tokens = [context.encode(counterfactual_prompts(table)) for table in tables]
        return sum(counted(capture, model, part) for part in tokens)

    def effects(operator):
        total = 0
        for name in (f"counterfactual_seed{seed}" for seed in seeds):
            pairs = prompts(operator, name)
            total += counted(
                patch_components,
                model,
                context.encode(pairs),
                cached(operator, name),
                *answer_tokens(context.answer_ids, pairs),
                positions=columns_of(settings.effects.positions),
            )
        return total

    def attribution(operator):
        names = [f"counterfactual_seed{seed}" for seed in settings.attribution.seeds]
        pairs = pd.concat([prompts(operator, name) for name in names], ignore_index=True)
        return counted(
            attribute,
            model,
            context.encode(pairs),
            *answer_tokens(context.answer_ids, pairs),
            join([cached(operator, "clean")] * len(names)),
            join([cached(operator, name) for name in names]),
        )

    def exact(operator):
        chosen, total = settings.exact, 0
        effects = read_neuron_effects(study / "attribution" / f"{operator}.h5")
        rng = generator(chosen.seed, "exact_neurons", operator)
        neurons = choose_neurons(effects.mean(axis=0), chosen.neurons, rng)
        clean_run = cached(operator, "clean")
        rows = choose_prompts(len(clean_run), chosen.prompts, chosen.seed, operator)
        for seed in settings.attribution.seeds:
            name = f"counterfactual_seed{seed}"
            pairs = prompts(operator, name).iloc[rows]
            total += counted(
                measure_neurons,
                model,
                context.encode(pairs),
                answer_tokens(context.answer_ids, pairs),
                clean_run.prompts(torch.from_numpy(rows)),
                cached(operator, name).prompts(torch.from_numpy(rows)),
                neurons,
                steps=settings.attribution.steps,
            )
        return total

    def residuals(operator):
        chosen = settings.probe
        rng = generator(chosen.seed, "cache_residuals", operator)
        sampled = sample_correct(prompts(operator, "labelled"), chosen.prompts, rng)
        return counted(capture, model, context.encode(sampled))

    def probes(operator):
        chosen = settings.probe
        with open_residuals(study / "residuals" / f"{operator}.h5") as kept:
            return counted(
                probe_answers,
                kept.layers,
                kept.answers,
                operator=operator,
                positions=kept.positions,
                n_layers=kept.n_layers,
                n_numbers=context.tokens.max_number + 1,
                d_model=kept.d_model,
                settings=ProbeSettings(epochs=chosen.epochs, batch=chosen.batch),
                test_share=chosen.test_share,
                rng=generator(chosen.seed, "probe_answers", operator),
            )

    def maps(operator):
        labelled = prompts(operator, "labelled")
        return counted(
            write_maps,
            tmp_path_factory.mktemp("maps") / "maps.h5",
            model,
            context.encode(labelled),
            labelled,
            store.read_table(study / "neurons" / f"{operator}.csv"),
            context.answer_ids,
            dtype="float32",
            provenance={},
        )

    def nulls(operator):
        chosen, labelled = settings.heuristics, prompts(operator, "labelled")
        limits = {"max_operand": settings.prompts.max_operand}
        types = HeuristicSettings.from_values(chosen.types.model_dump(mode="json"))
        numbers = {**limits, "max_number": context.tokens.max_number}
        effects = read_neuron_effects(study / "attribution" / f"{operator}.h5")
        return counted(
            null_tables,
            model,
            context.encode(labelled),
            store.read_table(study / "neurons" / f"{operator}.csv"),
            effects.mean(axis=0),
            HeuristicIndex.build(operator, types, labelled, **numbers),
            context.answer_ids,
            kind=chosen.kind,
            max_base_rate=chosen.max_base_rate,
            per_layer=chosen.calibration.per_layer,
            scored=chosen.calibration.scored,
            rng=generator(chosen.calibration.seed, "null_evidence", operator),
        )

    def matched(operator, rule):
        matches = store.read_table(study / "heuristics" / rule / f"{operator}_matches.csv")
        return matches[matches["kind"] == settings.heuristics.kind]

    def knocked(operator, name, measure):
        """A stage that knocks out: what it reads, and then ``measure`` on it."""

        def run_stage():
            given = Setting.read(
                *(model, context),
                evaluation=study / "prompts" / operator / "evaluation.csv",
                means=study / "means.h5",
                maps=study / "maps" / f"{operator}.h5",
                kinds=settings.knockouts.ablations,
                positions="all",
                rng=generator(42, name, "setting", operator),
            )
            rngs = (generator(42, name, operator), generator(42, name, "matched", operator))
            measure(given, *rngs)

        return counted(run_stage)

    def by_heuristic(operator):
        return sum(by_heuristic_of(matched(operator, rule), operator) for rule in RULES)

    def by_heuristic_of(matches, operator):
        chosen = settings.knockouts.by_heuristic

        def measure(given, rng, control_rng):
            knock_out_heuristics(
                neurons_by_heuristic(matches),
                *(given.evaluation, given.answers, given.pool),
                min_neurons=chosen.min_neurons,
                n_prompts=chosen.prompts,
                n_draws=chosen.draws,
                rng=rng,
                control_rng=control_rng,
            )

        return knocked(operator, "knock_out_heuristics", measure)

    def by_prompt(operator):
        return sum(by_prompt_of(matched(operator, rule), operator) for rule in RULES)

    def by_prompt_of(matches, operator):
        chosen = settings.knockouts.by_prompt

        def measure(given, rng, control_rng):
            sampled = some_prompts(given.evaluation, chosen.prompts, rng)
            knock_out_prompts(
                *(matches, membership(matches, sampled)),
                store.read_table(study / "neurons" / f"{operator}.csv"),
                *(sampled, given.answers),
                limits=range(0, chosen.max_per_layer + 1, chosen.step),
                rank=chosen.rank,
                rng=rng,
                pool=given.pool,
                control_rng=control_rng,
            )

        return knocked(operator, "knock_out_prompts", measure)

    def verified(operator):
        if operator != settings.operators[0]:
            return 0  # one job for all operators
        names = [f"prompts/{name}/counterfactual_seed{seeds[0]}.csv" for name in settings.operators]
        pairs = read_pairs([str(study / name) for name in names], context, chosen_prompts)
        rng = generator(settings.verification.seed, "verify_engine")
        folder = finished_project / "data" / "models" / "tiny-arith"
        load = partial(load_model, folder, name="tiny-arith")
        return counted(verify_engine, load, pairs, settings.verification.patches, rng)

    def all_means(operator):
        if operator != settings.operators[0]:
            return 0  # one job for all operators
        every = every_prompt(
            list(settings.operators),
            max_operand=settings.prompts.max_operand,
            max_number=context.tokens.max_number,
        )
        return counted(mean_activations, model, context.encode(every))

    def faithful(operator):
        chosen = settings.faithfulness
        files = [study / "effects" / f"{operator}_seed{seed}.h5" for seed in seeds]
        attributed = study / "attribution" / f"{operator}.h5"
        ranking = read_ranking(files, attributed, settings.neurons.importance)
        n_heads = len(store.read_table(study / "circuits" / f"{operator}.csv"))
        curves = study_curves(
            model,
            ranking,
            ranking.heads[:n_heads],
            max_heads=chosen.max_heads,
            n_points=chosen.sizes,
            first_late_layer=first_layer(settings.neurons.first_heuristics_layer, model.n_layers),
            late_share=chosen.late_share,
        )
        asked = draw_prompts(
            prompts(operator, "evaluation"),
            operator,
            n_prompts=chosen.prompts,
            seeds=chosen.seeds,
            zero_answers=chosen.zero_answers,
        )
        means = read_means(study / "means.h5")
        return counted(measure_circuits, model, *context.asked(asked), curves, means)

    def tested(operator):
        chosen = settings.circuit_test
        names = store.read_table(study / "circuits" / f"{operator}.csv")["head"]
        drawn = draw_prompts(
            prompts(operator, "evaluation"),
            operator,
            n_prompts=chosen.prompts,
            seeds=[chosen.seed],
            zero_answers=settings.faithfulness.zero_answers,
        )
        return counted(
            measure_sets,
            model,
            *context.asked(drawn),
            [Head.from_name(name) for name in names],
            read_means(study / "means.h5"),
            n_sets=chosen.sets,
            rng=generator(chosen.seed, "circuit_test", operator),
        )

    def attended(operator):
        if operator != settings.operators[0]:
            return 0  # one job for all operators
        size = min(settings.heads.operands, context.tokens.max_number + 1)
        folder = tmp_path_factory.mktemp("attention")
        names = list(settings.operators)
        return counted(
            write_patterns,
            folder / "patterns.h5",
            model,
            context.encode,
            evaluated(settings.heads.prompts),
            provenance={},
        ) + counted(
            write_pictures,
            folder / "pictures.h5",
            model,
            context.encode,
            names,
            size=size,
            provenance={},
        )

    def evaluated(n_prompts):
        return {op: prompts(op, "evaluation")[:n_prompts] for op in settings.operators}

    def numbers(operator):
        if operator != settings.operators[0]:
            return 0  # one job for all operators
        ids = context.answer_ids[: settings.prompts.max_operand]
        folder, bos = tmp_path_factory.mktemp("numbers"), context.tokens.bos_id
        source = settings.heads.ov_source
        return counted(
            write_ov_maps, folder / "ov.h5", model, ids, source=source, provenance={}
        ) + counted(write_mlp0, folder / "mlp0.h5", model, bos, ids, provenance={})

    def vectors(operator):
        folder = tmp_path_factory.mktemp("vectors")
        neurons = store.read_table(study / "neurons" / f"{operator}.csv")
        ids = context.answer_ids
        keys = counted(write_keys, folder / "keys.h5", model, neurons, ids, provenance={})
        if operator != settings.operators[0]:
            return keys  # outputs of all operators are written at once
        return keys + counted(
            write_outputs,
            folder / "outputs.h5",
            model,
            context.encode,
            evaluated(settings.embeddings.prompts),
            layer=model.n_layers - 1,
            provenance={},
        )

    def codes(operator):
        keys = ("periods", "prompts_per_number", "draws", "pairs", "seed")
        chosen = settings.rivals.model_dump(include=set(keys))
        evaluation, ids = prompts(operator, "evaluation"), context.answer_ids
        return counted(
            operator_codes, model, context.encode, ids, operator, evaluation, CodeSettings(**chosen)
        )

    def at(step):
        """The weights of a checkpoint, and the folder of what was found with them."""
        if step == FINAL:
            return model, study
        folder = finished_project / "data" / "models" / f"tiny-arith@{step}"
        return load_model(folder, name=step), study / "checkpoints" / step

    def scored(operator):
        labelled, total = prompts(operator, "labelled"), 0
        names = [f"counterfactual_seed{seed}" for seed in settings.attribution.seeds]
        pairs = [prompts(operator, name) for name in names]
        chosen = settings.neurons.model_dump(mode="json")
        types = settings.heuristics.types.model_dump(mode="json")
        matching = settings.heuristics.params("kind", "max_base_rate", "min_share")
        for step in plan.work.checkpoints:
            loaded, folder = at(step)
            neurons = store.read_table(folder / f"{operator}_neurons.csv")
            method = {"method": settings.attribution.method, "steps": settings.attribution.steps}
            total += counted(top_neurons_of, loaded, context, pairs, chosen, operator, **method)
            total += counted(
                score_checkpoint,
                loaded,
                context,
                labelled,
                neurons,
                HeuristicSettings.from_values(types),
                operator=operator,
                max_operand=settings.prompts.max_operand,
                dtype="float32",
                scratch=tmp_path_factory.mktemp("scores"),
                **matching,
            )
            if operator == settings.operators[0]:  # once for all operators
                drawn = {"n_prompts": settings.checkpoints.mean_prompts, "rng": generator(0)}
                limits = {"max_operand": settings.prompts.max_operand, **drawn}
                total += counted(sampled_means, loaded, context, **limits)
        return total

    def ablated(operator):
        chosen, total = settings.checkpoints, 0
        for step, rule in product((*plan.work.checkpoints, FINAL), RULES):
            loaded, folder = at(step)
            own = ("{}_neurons.csv", "{}_labelled.csv")
            own = ("neurons/{}.csv", "prompts/{}/labelled.csv") if step == FINAL else own
            subject = Subject.read(
                step,
                operator,
                settings.heuristics.kind,
                matches=[]
                if step == FINAL
                else [str(study / "checkpoints" / f"{rule}_matches.csv")],
                final=study / "heuristics" / rule / f"{operator}_matches.csv",
                neurons=folder / own[0].format(operator),
                labelled=folder / own[1].format(operator),
                circuits=study / "circuits" / f"{operator}.csv",
                evaluation=study / "prompts" / operator / "evaluation.csv",
            )
            asked, means = subject.prompts(chosen.prompts, chosen.seed), folder / "means.h5"
            late = first_layer(settings.neurons.first_heuristics_layer, model.n_layers)
            options = {"first_late_layer": late, "seed": chosen.seed}
            loaded_means = read_means(means)
            total += counted(
                measure_shared, subject, loaded, context, loaded_means, asked, **options
            )
            answers = ablated_correctness(
                loaded, context.encode, context.answer_ids, positions="all"
            )
            limits = {"per_layer": chosen.per_layer, "rank": "score", "seed": chosen.seed}
            total += counted(knock_out, subject, answers, asked, **limits)
        return total

    return {
        "attention": attended,
        "number_maps": numbers,
        "mlp_vectors": vectors,
        "number_codes": codes,
        "score_checkpoint": scored,
        "ablate_checkpoint": ablated,
        "mean_activations": all_means,
        "faithfulness": faithful,
        "circuit_test": tested,
        "verify_engine": verified,
        "label_prompts": label,
        "cache_clean": clean,
        "cache_counterfactual": counterfactual,
        "indirect_effects": effects,
        "attribution_patching": attribution,
        "exact_neurons": exact,
        "cache_residuals": residuals,
        "probe_answers": probes,
        "neuron_maps": maps,
        "null_evidence": nulls,
        "knock_out_heuristics": by_heuristic,
        "knock_out_prompts": by_prompt,
    }


EXACT = {
    "verify_engine": 0.2,  # silent patches, and what both loops and the engine share
    "label_prompts": 0.01,
    "cache_clean": 0.01,
    "cache_counterfactual": 0.01,
    "indirect_effects": 0.1,  # pairs with the same first operand cost less
    "attribution_patching": 0.01,
    "exact_neurons": 0.01,
    "cache_residuals": 0.01,
    "probe_answers": 0.05,  # the split by answer value can leave out some test prompts
    "neuron_maps": 0.01,
    "null_evidence": 0.01,
    "mean_activations": 0.01,
    "attention": 0.02,
    "number_maps": 0.02,
    "mlp_vectors": 0.02,
    "number_codes": 0.03,  # products with the directions of subspaces are left out
    "score_checkpoint": 0.01,
}
# Sets that begin above the first late layer, or are empty, cost less; rare heuristics have fewer
# prompts; with a dozen neurons in a layer, as here, many do.
# Circuits that keep all of the first layers are ablated later.
# The first checkpoint answers nothing.
AT_MOST = {
    "knock_out_heuristics": 0.7,
    "knock_out_prompts": 0.6,
    "faithfulness": 0.7,
    "circuit_test": 0.3,  # few sets have the circuit's number in each layer
    "ablate_checkpoint": 0.2,
}


@pytest.mark.parametrize("rule", EXACT)
def test_flops_are_those_that_torch_counts(stages, plan, run, rule):
    found = sum(run[rule](operator) for operator in plan.work.study.operators)
    assert stages[rule].flops == pytest.approx(found, rel=EXACT[rule])


@pytest.mark.parametrize("rule", AT_MOST)
def test_flops_are_at_most_those_of_the_plan(stages, plan, run, rule):
    found = sum(run[rule](operator) for operator in plan.work.study.operators)
    assert AT_MOST[rule] * stages[rule].flops < found <= stages[rule].flops


def test_stages_without_a_model_count_no_flops(stages):
    assert {rule for rule, stage in stages.items() if stage.flops} == {*EXACT, *AT_MOST}

"""FLOPs of the stages that ablate circuits and neurons, or match them, for one operator."""

from itertools import product

from pipeline_lib import store
from pipeline_lib.artifacts.means import read_means
from pipeline_lib.artifacts.neuron_effects import read_neuron_effects
from pipeline_lib.artifacts.nulls import null_tables
from pipeline_lib.artifacts.ranking import read_ranking
from pipeline_lib.checkpoints.names import FINAL
from pipeline_lib.checkpoints.scoring import sampled_means, score_checkpoint, top_neurons_of
from pipeline_lib.checkpoints.subject import Subject, knock_out, measure_shared
from pipeline_lib.circuits.faithfulness import draw_prompts, measure_circuits
from pipeline_lib.circuits.random_sets import measure_sets
from pipeline_lib.circuits.ranking import Head
from pipeline_lib.circuits.study import study_curves
from pipeline_lib.figures.catalog import RULES
from pipeline_lib.heuristics.index import HeuristicIndex
from pipeline_lib.heuristics.settings import HeuristicSettings
from pipeline_lib.heuristics.types import membership
from pipeline_lib.knockouts.ablation import ablated_correctness
from pipeline_lib.knockouts.by_heuristic import knock_out_heuristics, neurons_by_heuristic
from pipeline_lib.knockouts.by_prompt import knock_out_prompts
from pipeline_lib.neurons.importance import first_layer
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import some_prompts
from tests.e2e.given import Given
from tests.flops import counted


def nulls(given: Given, operator):
    chosen, labelled = given.settings.heuristics, given.prompts(operator, "labelled")
    limits = {"max_operand": given.settings.prompts.max_operand}
    types = HeuristicSettings.from_values(chosen.types.model_dump(mode="json"))
    numbers = {**limits, "max_number": given.context.tokens.max_number}
    effects = read_neuron_effects(given.study / "attribution" / f"{operator}.h5")
    return counted(
        null_tables,
        given.model,
        given.context.encode(labelled),
        store.read_table(given.study / "neurons" / f"{operator}.csv"),
        effects.mean(axis=0),
        HeuristicIndex.build(operator, types, labelled, **numbers),
        given.context.answer_ids,
        kind=chosen.kind,
        max_base_rate=chosen.max_base_rate,
        per_layer=chosen.calibration.per_layer,
        scored=chosen.calibration.scored,
        rng=generator(chosen.calibration.seed, "null_evidence", operator),
    )


def by_heuristic(given: Given, operator):
    return sum(by_heuristic_of(given, given.matched(operator, rule), operator) for rule in RULES)


def by_heuristic_of(given: Given, matches, operator):
    chosen = given.settings.knockouts.by_heuristic

    def measure(setting, rng, control_rng):
        knock_out_heuristics(
            neurons_by_heuristic(matches),
            *(setting.evaluation, setting.answers, setting.pool),
            min_neurons=chosen.min_neurons,
            n_prompts=chosen.prompts,
            n_draws=chosen.draws,
            rng=rng,
            control_rng=control_rng,
        )

    return given.knocked(operator, "knock_out_heuristics", measure)


def by_prompt(given: Given, operator):
    return sum(by_prompt_of(given, given.matched(operator, rule), operator) for rule in RULES)


def by_prompt_of(given: Given, matches, operator):
    chosen = given.settings.knockouts.by_prompt

    def measure(setting, rng, control_rng):
        sampled = some_prompts(setting.evaluation, chosen.prompts, rng)
        knock_out_prompts(
            *(matches, membership(matches, sampled)),
            store.read_table(given.study / "neurons" / f"{operator}.csv"),
            *(sampled, setting.answers),
            limits=range(0, chosen.max_per_layer + 1, chosen.step),
            rank=chosen.rank,
            rng=rng,
            pool=setting.pool,
            control_rng=control_rng,
        )

    return given.knocked(operator, "knock_out_prompts", measure)


def faithful(given: Given, operator):
    chosen = given.settings.faithfulness
    files = [given.study / "effects" / f"{operator}_seed{seed}.h5" for seed in given.seeds]
    attributed = given.study / "attribution" / f"{operator}.h5"
    ranking = read_ranking(files, attributed, given.settings.neurons.importance)
    n_heads = len(store.read_table(given.study / "circuits" / f"{operator}.csv"))
    curves = study_curves(
        given.model,
        ranking,
        ranking.heads[:n_heads],
        max_heads=chosen.max_heads,
        n_points=chosen.sizes,
        first_late_layer=first_layer(
            given.settings.neurons.first_heuristics_layer, given.model.n_layers
        ),
        late_share=chosen.late_share,
    )
    asked = draw_prompts(
        given.prompts(operator, "evaluation"),
        operator,
        n_prompts=chosen.prompts,
        seeds=chosen.seeds,
        zero_answers=chosen.zero_answers,
    )
    means = read_means(given.study / "means.h5")
    return counted(measure_circuits, given.model, *given.context.asked(asked), curves, means)


def tested(given: Given, operator):
    chosen = given.settings.circuit_test
    names = store.read_table(given.study / "circuits" / f"{operator}.csv")["head"]
    drawn = draw_prompts(
        given.prompts(operator, "evaluation"),
        operator,
        n_prompts=chosen.prompts,
        seeds=[chosen.seed],
        zero_answers=given.settings.faithfulness.zero_answers,
    )
    return counted(
        measure_sets,
        given.model,
        *given.context.asked(drawn),
        [Head.from_name(name) for name in names],
        read_means(given.study / "means.h5"),
        n_sets=chosen.sets,
        rng=generator(chosen.seed, "circuit_test", operator),
    )


def scored(given: Given, operator):
    labelled, total = given.prompts(operator, "labelled"), 0
    names = [f"counterfactual_seed{seed}" for seed in given.settings.attribution.seeds]
    pairs = [given.prompts(operator, name) for name in names]
    chosen = given.settings.neurons.model_dump(mode="json")
    types = given.settings.heuristics.types.model_dump(mode="json")
    matching = given.settings.heuristics.params("kind", "max_base_rate", "min_share")
    for step in given.plan.work.checkpoints:
        loaded, folder = given.at(step)
        neurons = store.read_table(folder / f"{operator}_neurons.csv")
        method = {
            "method": given.settings.attribution.method,
            "steps": given.settings.attribution.steps,
        }
        total += counted(top_neurons_of, loaded, given.context, pairs, chosen, operator, **method)
        total += counted(
            score_checkpoint,
            loaded,
            given.context,
            labelled,
            neurons,
            HeuristicSettings.from_values(types),
            operator=operator,
            max_operand=given.settings.prompts.max_operand,
            dtype="float32",
            scratch=given.scratch.mktemp("scores"),
            **matching,
        )
        if operator == given.settings.operators[0]:  # once for all operators
            drawn = {"n_prompts": given.settings.checkpoints.mean_prompts, "rng": generator(0)}
            limits = {"max_operand": given.settings.prompts.max_operand, **drawn}
            total += counted(sampled_means, loaded, given.context, **limits)
    return total


def ablated(given: Given, operator):
    chosen, total = given.settings.checkpoints, 0
    for step, rule in product((*given.plan.work.checkpoints, FINAL), RULES):
        loaded, folder = given.at(step)
        own = ("{}_neurons.csv", "{}_labelled.csv")
        own = ("neurons/{}.csv", "prompts/{}/labelled.csv") if step == FINAL else own
        subject = Subject.read(
            step,
            operator,
            given.settings.heuristics.kind,
            matches=[]
            if step == FINAL
            else [str(given.study / "checkpoints" / f"{rule}_matches.csv")],
            final=given.study / "heuristics" / rule / f"{operator}_matches.csv",
            neurons=folder / own[0].format(operator),
            labelled=folder / own[1].format(operator),
            circuits=given.study / "circuits" / f"{operator}.csv",
            evaluation=given.study / "prompts" / operator / "evaluation.csv",
        )
        asked, means = subject.prompts(chosen.prompts, chosen.seed), folder / "means.h5"
        late = first_layer(given.settings.neurons.first_heuristics_layer, given.model.n_layers)
        options = {"first_late_layer": late, "seed": chosen.seed}
        loaded_means = read_means(means)
        total += counted(
            measure_shared, subject, loaded, given.context, loaded_means, asked, **options
        )
        answers = ablated_correctness(
            loaded, given.context.encode, given.context.answer_ids, positions="all"
        )
        limits = {"per_layer": chosen.per_layer, "rank": "score", "seed": chosen.seed}
        total += counted(knock_out, subject, answers, asked, **limits)
    return total

"""Every claim of the page is chosen by its numbers: other numbers, another claim."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.figures.style import OPERATOR_TITLES
from pipeline_lib.findings import limits, neurons, operators, rivals, training, where
from tests.unit.findings import conftest as run

NOMINAL = 0.05


def test_components_are_ranked_by_the_change_of_log_odds_among_those_that_pass(tables):
    said = where.effects(tables)
    assert "3 of the 4 move the log odds" in said
    assert "most: MLP 1 (6.5), L0H0 (4.0) and L1H1 (2.0)." in said
    assert 'that of L0H0 at operand 1 and MLP 1 at "=".' in said  # L0H1 has more, and q = 0.2


def test_the_answer_is_readable_from_the_layer_after_which_every_one_beats_chance(tables):
    assert where.readable_from(tables) == 0
    tables["fig03_probe_accuracy"] = run.probes(first=0.16)  # above shuffled, not above chance
    assert where.readable_from(tables) == 1
    assert "from layer 1 on, and in layer 1 for 80.0 % of prompts" in where.probes(tables)
    answers = tables["fig03_probe_accuracy"]["variant"] == "answer"
    tables["fig03_probe_accuracy"].loc[answers, ["mean", "low", "high"]] = 0.1
    assert where.readable_from(tables) is None
    assert "no layer lets a linear probe" in where.probes(tables)


def test_a_layer_that_is_readable_before_one_that_is_not_does_not_count(tables):
    table = run.probes(first=0.9)
    table.loc[(table["layer"] == 1) & (table["variant"] == "answer"), ["mean", "low"]] = 0.1
    assert where.readable_from({**tables, "fig03_probe_accuracy": table}) is None


def test_a_circuit_is_called_better_only_if_it_beats_both_kinds_of_random_heads(tables):
    said = where.circuits(tables, run.OPERATORS)
    assert "more faithful than random sets of as many heads in addition and subtraction" in said
    assert said.endswith("They have L1H1 in every one.")
    tables.update(run.circuits(p_layer=0.2))
    said = where.circuits(tables, run.OPERATORS)
    assert "more faithful" not in said
    assert "not distinguishable from random sets of as many heads in addition and" in said


def test_a_row_without_prompts_has_no_record_of_the_training(tables):
    rows = where.circuit_table(tables, run.OPERATORS).splitlines()
    assert rows[-1] == "| multiplication | 0 | – | – | – | – | – |"
    assert rows[-2] == "| subtraction | 210 | 97.6 % | 80.0 % | 1 | 0.90 [0.85, 0.93] | 0.010 |"


def test_random_heads_that_cannot_give_a_small_p_do_not_count(tables):
    tables.update(run.circuits(p_layer=0.25, possible=4))
    assert where.p_of(tables, "add") == 0.004
    test = tables["fig_circuit_test"]
    tables["fig_circuit_test"] = test[test["kind"] != "any"]
    assert "not tested in addition and subtraction" in where.circuits(tables, run.OPERATORS)


def test_a_threshold_that_a_null_reaches_as_often_is_not_called_better(tables):
    said = neurons.classified(tables, run.OPERATORS, NOMINAL)
    assert "threshold measurably more neurons match than maps of any null in addition and" in said
    assert (
        "of no null's maps measurably more than 5 % have the evidence of a classified neuron in a"
        in said
    )
    tables["fig_classified_share"] = run.classified(null=0.75, null_fdr=0.08)
    said = neurons.classified(tables, run.OPERATORS, NOMINAL)
    assert "not measurably more neurons match than maps of a null in addition and" in said
    assert "of some null's maps measurably more than 5 % have the evidence" in said


def test_shares_stand_beside_the_null_that_passes_most(tables):
    row = neurons.share_table(tables, run.OPERATORS).splitlines()[2]
    assert row == "| addition | 40 | 90.0 % | 50.0 % | 40.0 % | 2.0 % |"
    assert neurons.share_table(tables, run.OPERATORS).splitlines()[-1].count("–") == 5


def test_where_no_neuron_is_classified_nulls_say_nothing(tables):
    tables["fig_classified_share"] = run.classified(null_fdr=0.0, real_fdr=0.0)
    said = neurons.classified(tables, run.OPERATORS, NOMINAL)
    assert "Under the rule fdr no neuron matches in addition and subtraction." in said
    row = neurons.share_table(tables, run.OPERATORS).splitlines()[2]
    assert row == "| addition | 40 | 90.0 % | 50.0 % | 0 % | – |"


def test_types_are_counted_over_layers(tables):
    assert neurons.types(tables, "add") == "ranges 12, residues 6"


def test_a_knockout_counts_where_wilson_intervals_are_apart(tables):
    table = tables["fig08_prompt_knockout"]
    assert neurons.silenced(table, "add") == neurons.Silenced("lower", 0.5, 1.0, 5)
    assert neurons.silenced(table, "sub").verdict == "open"
    # 46 of 50 against 50 of 50: the bootstrap interval of the control would be [1, 1]
    assert neurons.silenced(run.by_prompt(add=0.92), "add").verdict == "open"
    assert neurons.silenced(run.by_prompt(drawn=False), "add").verdict == "uncontrolled"
    swapped = table.replace({"condition": {"control": "heuristic", "heuristic": "control"}})
    assert neurons.silenced(swapped, "add").verdict == "higher"
    assert "in 1 of the 2 operators" in neurons.knockouts(tables, run.OPERATORS)
    assert neurons.silencing(tables, "add") == ("50.0 % (lower)", "100 %")
    tables["fig08_prompt_knockout"] = run.by_prompt(drawn=False)
    assert neurons.silencing(tables, "add") == ("–", "–")
    assert "has no control" in neurons.knockouts(tables, run.OPERATORS)


def test_a_knockout_has_to_cost_more_than_every_control(tables):
    table = tables["fig08_prompt_knockout"]
    matched = table[table["condition"] == "control"].assign(condition="matched")
    matched.loc[matched["limit"] == 5, "accuracy"] = 0.6
    both = pd.concat([table, matched], ignore_index=True)
    assert neurons.silenced(both, "add") == neurons.Silenced("open", 0.5, 0.6, 5)
    uncontrolled = pd.concat([run.by_prompt(drawn=False), matched], ignore_index=True)
    assert neurons.silenced(uncontrolled, "add").control == 0.6


def test_heuristics_whose_own_prompts_suffer_are_counted_by_intervals(tables):
    said = neurons.by_heuristic(tables)
    assert "accuracy of 0.78 on its own prompts and 0.98 on others" in said
    assert "for 1 of the 2 heuristics" in said


@pytest.mark.parametrize(
    ("gap", "verdict", "winner"),
    [
        (0.1, "heuristics", "Heuristics win"),
        (-0.2, "modes", "Fourier modes win"),
        (-0.02, "depends", "Neither rival"),
    ],
)
def test_a_rival_wins_only_however_terms_are_counted(tables, gap, verdict, winner):
    tables["fig_rivals"] = run.rivals(gap)
    assert rivals.verdicts(tables, run.OPERATORS) == {"add": verdict, "sub": verdict}
    assert rivals.one_rival(tables, run.OPERATORS).startswith(winner)
    assert "addition and subtraction" in rivals.winners(tables, run.OPERATORS)


def test_rivals_that_differ_by_operator_leave_no_winner(tables):
    both = run.rivals(0.1)
    worse = run.rivals(-0.2)
    both[both["operator"] == "sub"] = worse[worse["operator"] == "sub"]
    tables["fig_rivals"] = both
    assert rivals.one_rival(tables, run.OPERATORS).startswith("Neither rival")
    assert "than Fourier modes in addition; Fourier modes" in rivals.winners(tables, run.OPERATORS)


def test_no_difference_is_open(tables):
    table = tables["fig_rivals"]
    for more, less in rivals.COMPARED.values():
        table[more] = table[less] + np.where(table["neuron"] % 2, 0.1, -0.1)
    assert rivals.verdict(rivals.explained(tables, "add")) == "open"


def test_numbers_of_the_rivals_are_means_over_neurons(tables):
    rows = tables["fig_rivals"][tables["fig_rivals"]["operator"] == "sub"]
    heuristics, modes, difference = rivals.numbers(tables, "sub")
    assert heuristics == f"{rows['heuristics'].mean():.2f}"
    assert modes == f"{rows['modes'].mean():.2f}"
    assert difference.startswith("0.10 [")


def test_short_whole_periods_are_counted_with_their_neighbours(tables):
    assert rivals.periods(tables, "add") == "3 in a + b 2, 2 in the result 1"
    said = rivals.whole_periods(tables, run.OPERATORS)
    assert said == "A short whole period is the strongest of 6 of the 10 neurons: 3 (4) and 2 (2)."


@pytest.mark.parametrize(
    ("value", "special", "polynomial", "components"),
    [
        (0.3, "not special", "none of the 3", "none of the 3"),
        (0.55, "not special", "all 3", "none of the 3"),
        (0.9, "special", "all 3", "all 3"),
    ],
)
def test_a_helix_is_special_if_it_beats_both_rivals(tables, value, special, polynomial, components):
    tables["fig_helix"] = run.helices(value)
    said = rivals.helix(tables, [2, 5])
    assert f"A helix of periods 2 and 5 is {special}:" in said
    assert f"as many parameters in {polynomial} places" in said
    assert f"principal components in {components} places" in said


def test_accuracy_is_called_first_only_where_most_pairs_were_missing(tables):
    said = training.formed(tables, run.OPERATORS)
    assert "- addition: step10, accuracy 95.0 %, 30.0 % of the pairs (chance 2.0 %), above" in said
    assert "came before most of the final pairs in addition and subtraction." in said
    assert "in 2 of the 4 pairs of operator and checkpoint" in said
    tables.update(run.checkpoints(share=0.6))
    assert "did not measurably come before most" in training.formed(tables, run.OPERATORS)
    tables.update(run.checkpoints(share=0.02))
    assert "never lastingly above chance" in training.formed(tables, run.OPERATORS)


def test_a_run_without_checkpoints_says_so(tables):
    for name in ("fig10a_heuristic_overlap", "fig10b_shared_faithfulness"):
        tables[name] = tables[name].head(0)
    assert training.formed(tables, run.OPERATORS) == training.NOTHING


def test_limits_name_what_this_run_lacks(tables):
    said = limits.limits(tables, run.OPERATORS).splitlines()
    assert said == [
        "- Of multiplication nothing was measured.",
        "- Accuracy is measurably lower on prompts held out of training in subtraction: "
        "some answers there may be memorised.",
    ]
    tables["fig08_prompt_knockout"] = run.by_prompt(drawn=False)
    tables["fig_classified_share"] = tables["fig_classified_share"].head(0)
    tables["table03_accuracy"] = tables["table03_accuracy"].assign(held_out_accuracy=1.0)
    said = limits.limits(tables, run.OPERATORS)
    assert "no control in addition and subtraction" in said
    assert "No null was made for the neurons of addition and subtraction" in said
    assert "memorised" not in said


def test_an_operator_without_prompts_or_right_answers_has_a_sentence_instead_of_a_row(tables):
    said = operators.rows(tables, run.OPERATORS)
    first = said.splitlines()[2]
    assert first.startswith(f"| {OPERATOR_TITLES['add']} | L0H0, L1H1 | ranges 12, residues 6 |")
    assert first.endswith("| 50.0 % (lower) | 100 % |")
    assert said.endswith(
        "**Multiplication.** No prompt is valid in this run, so nothing was measured."
    )
    table = tables["table03_accuracy"]
    tables["table03_accuracy"] = table.assign(prompts=9)
    assert "answers no prompt right" in operators.rows(tables, run.OPERATORS)

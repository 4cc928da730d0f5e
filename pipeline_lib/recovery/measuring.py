"""Everything that is measured of one planted network, as counts."""

from collections.abc import Mapping

import pandas as pd

from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.neurons.importance import ImportanceRule
from pipeline_lib.recovery.rules import Case, Rule
from pipeline_lib.recovery.scoring import COUNTS, tally, tally_neurons, tally_pairs
from pipeline_lib.recovery.subject import (
    Subject,
    late_importance,
    localize,
    most_important,
    planted_components,
)
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import OPERATORS

COLUMNS = ["operator", "rule", "what", "n_correct", *COUNTS]
PATCHING, ATTRIBUTION = "patching", "attribution"
"""Names in the column of rules, where no rule of matching takes part."""


def measure_network(
    model: LanguageModel,
    neurons: pd.DataFrame,
    heads: pd.DataFrame,
    rules: Mapping[str, Rule],
    *,
    n_patched: int,
    n_attributed: int,
    importance: ImportanceRule,
    seed: int,
) -> pd.DataFrame:
    """Counts of what is found of the planted ``neurons`` and ``heads`` (COLUMNS), per operator.

    localization: heads and MLPs with the largest mean indirect effects, as many as are planted.
    attribution: late neurons with the largest importance, as many as are planted. detection: of the
    planted neurons and decoys, those that match a heuristic. classification: of the pairs (neuron,
    heuristic) that match, those that are planted.
    """
    subject = Subject.ask(model)
    n_heads = int((heads["kind"] == "planted").sum())
    rows = []
    for operator in OPERATORS:
        own = neurons[neurons["operator"] == operator]
        planted = own[own["kind"] == "planted"]
        patched = subject.pairs(operator, n_patched, generator(seed, "patched", operator))
        attributed = subject.pairs(operator, n_attributed, generator(seed, "attributed", operator))
        values = late_importance(subject, attributed, importance)
        top = most_important(values, len(planted))
        found = {
            (PATCHING, "localization"): tally(
                localize(subject, patched, n_heads), planted_components(heads)
            ),
            (ATTRIBUTION, "attribution"): tally(top, set(planted["neuron"].tolist())),
        }
        case = Case(subject, operator, own, subject.maps(operator, own), values)
        for name, rule in rules.items():
            matches = rule(case, generator(seed, "matching", name, operator))
            found[name, "detection"] = tally_neurons(matches, planted)
            found[name, "classification"] = tally_pairs(matches, planted, case.maps.prompts)
        n_correct = len(subject.correct(operator))
        rows += [
            {"operator": operator, "n_correct": n_correct, **one.row(rule=rule_name, what=what)}
            for (rule_name, what), one in found.items()
        ]
    return pd.DataFrame(rows, columns=COLUMNS)

"""The page: the template with everything filled in."""

from collections.abc import Mapping, Sequence
from importlib import resources
from string import Template
from typing import Any

from pipeline_lib.findings import limits, neurons, operators, rivals, training, where
from pipeline_lib.findings.tables import PICTURES, Tables, studied

TEMPLATE = "template.md"
CAPTIONS = {
    "fig02_localization": "Indirect effect of heads and MLPs; crosses: not distinguishable from 0.",
    "fig03_probe_accuracy": "Accuracy of linear probes for the answer, and their controls.",
    "fig_classified_share": "Neurons that match a heuristic, beside maps that mean nothing.",
    "fig_rivals": "Variance of the neurons' maps that heuristics and Fourier modes explain.",
    "fig_neuron_spectra": "Spectra of the neurons' maps, and the strongest mode of each.",
    "fig10a_heuristic_overlap": "Final (neuron, heuristic) pairs over training, beside chance.",
}


def template() -> str:
    """The page before it is filled."""
    return resources.files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8")


def write_findings(
    model: str,
    tables: Tables,
    names: Sequence[str],
    pictures: Sequence[str],
    settings: Mapping[str, Any],
) -> str:
    """The page of a model whose study has the operators ``names`` and the figures ``pictures``.

    ``settings``: the configured ``rule`` of matching, ``threshold`` and ``fdr``, and the helix's
    ``periods``.
    """
    found = {
        "model": model,
        "rule": f"`{settings['rule']}`",
        "threshold": f"{settings['threshold']:g}",
        **in_short(tables, names, settings),
        **sections(tables, names, settings),
        **{name: picture(name) if name in pictures else "" for name in PICTURES},
    }
    return tidy(Template(template()).substitute(found))


def in_short(tables: Tables, names: Sequence[str], settings: Mapping[str, Any]) -> dict[str, str]:
    """The first section: what the others find, in one line each."""
    first = where.readable_from(tables)
    return {
        "short_accuracy": where.accuracies(tables, names),
        "short_place": place(where.strongest(where.found_components(tables), 3), first),
        "short_circuits": where.sizes(tables, names),
        "short_neurons": share_of_neurons(tables, studied(tables, names), settings["fdr"]),
        "short_rivals": rivals.one_rival(tables, names),
        "short_knockouts": neurons.knockouts(tables, names),
    }


def place(components: str, layer: int | None) -> str:
    """Where the largest effects are and from which layer on the answer can be read."""
    most = (
        f"The largest effects, in nats of log odds, are those of {components}."
        if components
        else "No effect is measurable."
    )
    if layer is None:
        return f'{most} At "=" no layer makes the answer readable better than chance.'
    return f'{most} At "=" the answer is readable better than chance from layer {layer} on.'


def share_of_neurons(tables: Tables, names: Sequence[str], nominal: float) -> str:
    """Shares that match a heuristic under both rules, over the operators, beside the nulls."""
    loose = neurons.share_range(tables, names, "threshold")
    strict = neurons.share_range(tables, names, "fdr")
    if not loose or not strict:
        return neurons.classified(tables, names, nominal)
    return (
        f"At the threshold {loose[0]} of the top neurons match a heuristic, and {loose[1]} of maps "
        f"that mean nothing; under the false discovery rate {strict[0]}, and {strict[1]}."
    )


def sections(tables: Tables, names: Sequence[str], settings: Mapping[str, Any]) -> dict[str, str]:
    """The parts of the other sections."""
    return {
        "circuit_table": where.circuit_table(tables, names),
        "effects": where.effects(tables),
        "probes": where.probes(tables),
        "circuits": where.circuits(tables, names),
        "attribution": where.attribution(tables),
        "share_table": neurons.share_table(tables, names),
        "classified": neurons.classified(tables, names, settings["fdr"]),
        "by_heuristic": neurons.by_heuristic(tables),
        "winners": rivals.winners(tables, names),
        "whole_periods": rivals.whole_periods(tables, names),
        "helix": rivals.helix(tables, settings["periods"]),
        "operators": operators.rows(tables, names),
        "training": training.formed(tables, names),
        "limits": limits.limits(tables, names),
    }


def picture(name: str) -> str:
    """A figure that lies beside the page, with its caption and name."""
    return f"![{name}]({name}.png)\n*{CAPTIONS[name]}* `{name}`"


def tidy(text: str) -> str:
    """Without the blank lines and spaces that empty parts leave."""
    lines = [" ".join(line.split(" ")).rstrip() for line in text.splitlines()]
    kept = [line for place, line in enumerate(lines) if line or (place and lines[place - 1])]
    return "\n".join(kept).strip() + "\n"

"""Figures 16 to 18: localization, probes, faithfulness and knockouts of one further model.

The panels are those of figures 2, 3, 4b and 8, with the same numbers.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure, FigureBase, SubFigure

from pipeline_lib import store
from pipeline_lib.figures import faithfulness_curves as curves
from pipeline_lib.figures import (
    fig02_localization,
    fig03_probe_accuracy,
    fig08_prompt_knockout,
)
from pipeline_lib.figures.reading import one_per_operator, paths, per_operator, read_effects
from pipeline_lib.figures.style import (
    PAGE,
    Drawn,
    accuracy_limits,
    new_figure,
    panel_letter,
    say,
    style,
)

PANELS = ("localization", "probe", "faithfulness", "knockout")
PERCENT = "neurons kept in each late layer (%)"


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the effects, probes, faithfulness and knockouts by prompt of one model."""
    tables = tabulate_panels(inputs, operators)
    parts = [table.assign(panel=name) for name, table in tables.items()]
    table = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    table = table[["panel", *(name for name in table.columns if name != "panel")]]
    return Drawn(draw_model(tables, operators), table)


def tabulate_panels(inputs: dict[str, Any], operators: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The table of each panel, as the figure of its own has it; empty without prompts."""
    files = per_operator(inputs, "effects", operators)
    effects = {operator: read_effects(found) for operator, found in files.items()}
    probes = [
        store.read_table(path, fig03_probe_accuracy.PROBE_COLUMNS)
        for path in paths(inputs["probes"])
    ]
    knockouts = one_per_operator(inputs, "knockouts", operators)
    found = (
        fig02_localization.tabulate_localization(effects),
        fig03_probe_accuracy.tabulate_probes([table for table in probes if len(table)]),
        curves.with_share(curves.tabulate_curves(inputs, operators, "neurons", "fig04b")),
        fig08_prompt_knockout.tabulate_operators(knockouts),
    )
    return dict(zip(PANELS, found, strict=True))


def draw_model(tables: dict[str, pd.DataFrame], operators: Sequence[str]) -> Figure:
    """Four panels on a page's width; operators have the same line in both lower ones."""
    shown = {name for panel in PANELS[2:] for name in tables[panel]["operator"].unique()}
    n_layers = tables["localization"]["layer"].nunique()
    with style():
        upper = fig02_localization.height_of(n_layers)
        figure = new_figure(PAGE, upper + 2.7)
        top, bottom = _parts(figure, 2, 1, height_ratios=[upper, 2.7])
        left, right = _parts(top, 1, 2, width_ratios=[1.5, 1])
        _localization(left, tables["localization"])
        _probe(right, tables["probe"])
        _lines(bottom, tables, operators)
        if shown:
            fig08_prompt_knockout.operator_legend(bottom, operators, sorted(shown), one_row=True)
        return figure


def _parts(figure: FigureBase, n_rows: int, n_columns: int, **options: Any) -> list[SubFigure]:
    return list(np.ravel(figure.subfigures(n_rows, n_columns, **options)))


def _localization(part: SubFigure, table: pd.DataFrame) -> None:
    _letter(part, 0)
    if table.empty:
        say(part.subplots(), fig02_localization.NOTHING)
        return
    n_heads = table["component"].nunique() - 1
    ratios = [fig02_localization.heads_width(n_heads), 1.0]
    left, right = part.subplots(1, 2, width_ratios=ratios, sharey=True)
    fig02_localization.draw_panels(left, right, table)


def _probe(part: SubFigure, table: pd.DataFrame) -> None:
    _letter(part, 1)
    axes = part.subplots()
    if table.empty:
        say(axes, fig03_probe_accuracy.NOTHING)
        return
    image = fig03_probe_accuracy.draw_panel(axes, table, "answer")
    axes.set_title(f"probes for the {axes.get_title()}", linespacing=1.3)
    if image is not None:
        part.colorbar(image, ax=axes, label="test accuracy", location="bottom", aspect=30)


def _lines(part: SubFigure, tables: dict[str, pd.DataFrame], operators: Sequence[str]) -> None:
    """Faithfulness on the left, knockouts on the right."""
    left, right = _parts(part, 1, 2)
    for place, half in enumerate((left, right)):
        _letter(half, 2 + place)
    axes, table = left.subplots(), tables["faithfulness"]
    if table.empty:
        say(axes, curves.NOTHING)
    else:
        curves.draw_panel(axes, table, operators, x="percent", label=PERCENT, log=True)
    axes, table = right.subplots(), tables["knockout"]
    if table.empty:
        say(axes, fig08_prompt_knockout.NOTHING)
    else:
        fig08_prompt_knockout.draw_panel(axes, table, operators)
        axes.set_ylim(*accuracy_limits(float(table["low"].min())))


def _letter(part: SubFigure, place: int) -> None:
    """Letter of a panel in its upper left corner, over the space of the axis labels."""
    part.text(0.005, 0.995, panel_letter(place), fontweight="bold", va="top")

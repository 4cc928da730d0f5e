"""Figure 8 of all models: accuracy against the neurons silenced per layer, a panel a model."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib.figures.fig08_prompt_knockout import (
    COLUMNS,
    NOTHING,
    draw_panel,
    operator_legend,
    tabulate_operators,
    x_label,
)
from pipeline_lib.figures.reading import one_per_operator, per_model
from pipeline_lib.figures.style import (
    COLUMN,
    MAX_HEIGHT,
    PAGE,
    Drawn,
    accuracy_limits,
    message_figure,
    new_figure,
    say,
    style,
)

PER_ROW = 3
"""Panels beside each other."""


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the knockouts by prompt of every model and operator, model by model."""
    parts = []
    for model, files in per_model(inputs, "knockouts", settings["models"]).items():
        by_operator = one_per_operator({"knockouts": files}, "knockouts", operators)
        parts.append(tabulate_operators(by_operator).assign(model=model))
    table = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    table = table[["model", *COLUMNS]]
    return Drawn(draw_models(table, settings["models"], operators), table)


def draw_models(table: pd.DataFrame, models: Sequence[str], operators: Sequence[str]) -> Figure:
    """Figure 8 of every model in its own panel; all panels have the same accuracy axis."""
    with style():
        if table.empty:
            return message_figure(NOTHING)
        columns = 2 if len(models) == 4 else min(len(models), PER_ROW)
        rows = -(-len(models) // columns)
        figure = new_figure(PAGE if columns > 1 else COLUMN, min(0.7 + 2.0 * rows, MAX_HEIGHT))
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        limits = accuracy_limits(float(table["low"].min()))
        for place, (model, axes) in enumerate(zip(models, panels, strict=False)):
            axes.set_title(model)
            own = table[table["model"] == model]
            if own.empty:
                say(axes, NOTHING)
                continue
            draw_panel(axes, own, operators)
            axes.set_ylim(*limits)
            axes.set(xlabel="", ylabel="" if place % columns else "accuracy")
        for axes in panels[len(models) :]:
            axes.set_axis_off()
        figure.supxlabel(x_label(table), fontsize="medium")
        operator_legend(figure, operators, table["operator"].unique().tolist(), one_row=columns > 1)
        return figure

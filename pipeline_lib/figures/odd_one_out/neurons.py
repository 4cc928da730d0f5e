"""Neurons of the critical MLP: their effects, and the classes they tell apart."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.figures.odd_one_out.words import COLOURS, swept
from pipeline_lib.figures.style import (
    DIVERGING,
    NEUTRAL,
    PAGE,
    Drawn,
    colour_map,
    new_figure,
    style,
)
from pipeline_lib.odd_one_out.neurons import CLASSES, NEURONS


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The figure from the neurons and their means by super-class."""
    neurons = store.read_table(str(inputs["neurons"]), NEURONS)
    classes = store.read_table(str(inputs["classes"]), CLASSES)
    table = neurons.merge(
        classes[["neuron", "super_class", "mean", "standardised"]], on="neuron", how="left"
    )
    return Drawn(draw(neurons, classes, swept(inputs)), table)


def draw(neurons: pd.DataFrame, classes: pd.DataFrame, task: str) -> Figure:
    """Neurons downward; attributed and exact effect, AUROC, mean activation by class."""
    with style():
        rows = np.arange(len(neurons))
        figure = new_figure(PAGE, 1.2 + 0.15 * len(neurons))
        figure.suptitle(f"neurons of MLP {neurons['layer'].iloc[0]} at the query ({task})")
        axes = figure.subplots(1, 3, sharey=True, width_ratios=[1.2, 0.8, 1.5])
        for name, low, high, shift, colour in (
            ("effect", "low", "high", -0.15, "black"),
            ("exact", "exact_low", "exact_high", 0.15, COLOURS["corrupt"]),
        ):
            ends = np.stack([neurons[name] - neurons[low], neurons[high] - neurons[name]])
            axes[0].errorbar(
                neurons[name], rows + shift, xerr=np.abs(ends), fmt="o", markersize=2.2,
                color=colour, linewidth=0.8, label="attribution" if name == "effect" else "exact",
            )  # fmt: skip
        axes[0].axvline(0, color=NEUTRAL, linewidth=0.6)
        axes[0].set_yticks(rows, [f"N{n}" for n in neurons["neuron"]])
        axes[0].set_ylim(len(neurons) - 0.5, -0.5)
        axes[0].set_xlabel("change of the margin by the\ncorrupt run's activation (nats)")
        axes[0].legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
        axes[1].scatter(neurons["auroc"], rows, s=8, color="black")
        axes[1].axvline(neurons["auroc_random"].iloc[0], color=NEUTRAL, linestyle=":", linewidth=1)
        axes[1].set_xlabel("AUROC of the class told\nbest (dotted: random neurons)")
        axes[1].set_xlim(0.48, 1.02)
        wide = classes.pivot_table(index="neuron", columns="super_class", values="standardised")
        wide = wide.reindex(neurons["neuron"])
        limit = float(np.nanmax(np.abs(wide.to_numpy()))) or 1.0
        image = axes[2].imshow(
            wide, cmap=colour_map(DIVERGING), vmin=-limit, vmax=limit, aspect="auto"
        )
        axes[2].set_xticks(range(wide.shape[1]), list(wide.columns), rotation=90)
        figure.colorbar(
            image,
            ax=axes[2],
            label="mean activation (standard deviations)",
            fraction=0.06,
            pad=0.02,
        )
        return figure

"""Figure 1: three neurons of different heuristics that answer one prompt together."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline_lib import store
from pipeline_lib.figures.planes import Frame, cell_means, choose_frame, show_map
from pipeline_lib.figures.reading import (
    NeuronMap,
    neuron_name,
    one_per_operator,
    own_heuristics,
    promoted_numbers,
    read_matches,
    read_neuron_map,
)
from pipeline_lib.figures.style import (
    PAGE,
    SMALL,
    Drawn,
    message_figure,
    new_figure,
    panel_letter,
    style,
)
from pipeline_lib.heuristics.types import Heuristic
from pipeline_lib.stimuli.arithmetic import OPERATORS, make_prompts

PAPERS_EXAMPLE = ("sub", 226, 68)
N_NEURONS, N_TOKENS = 3, 5
PROMPT = ["operator", "prompt_a", "prompt_b", "answer"]
NEURON = ["layer", "neuron", "importance", "heuristic", "label", "map", "score", "activation"]
NEURON += ["answer_logit", "promoted"]
FRAME = ["first_a", "first_b", "cells", "step"]
COLUMNS = ["panel", *PROMPT, *NEURON, *FRAME, "a", "b", "value"]
INTEGERS = ["panel", *PROMPT[1:], "layer", "neuron", *FRAME, "a", "b"]


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from evaluation prompts, maps, top neurons and matches of every operator."""
    files = {
        name: one_per_operator(inputs, name, operators)
        for name in ("evaluation", "maps", "neurons", "matches")
    }
    prompts = {op: store.read_table(path) for op, path in files["evaluation"].items()}
    example = choose_prompt(prompts, settings["example_prompt"])
    if example.empty:
        return draw_nothing("no operator has evaluation prompts:\nthere is no example to show")
    operator = str(example["operator"].iloc[0])
    chosen = choose_neurons(
        read_matches(files["matches"][operator], settings["kind"]),
        store.read_table(files["neurons"][operator], ["layer", "neuron", "importance"]),
        example,
    )
    table = tabulate_example(example, chosen, files["maps"][operator])
    return Drawn(draw_example(table), table)


def choose_prompt(prompts: dict[str, pd.DataFrame], wanted: dict[str, Any] | None) -> pd.DataFrame:
    """Table of the one example: as configured, else the paper's, else the first there is.

    The paper's example 226-68 is taken when it is among the evaluation prompts.
    """
    if wanted:
        return make_prompts(wanted["operator"], np.array([wanted["a"]]), np.array([wanted["b"]]))
    operator, a, b = PAPERS_EXAMPLE
    papers = prompts.get(operator, pd.DataFrame(columns=["a", "b"]))
    papers = papers[(papers["a"] == a) & (papers["b"] == b)]
    filled = [papers, *prompts.values()]
    return next((table.iloc[:1] for table in filled if len(table)), papers.iloc[:0])


def choose_neurons(
    matches: pd.DataFrame, neurons: pd.DataFrame, example: pd.DataFrame
) -> pd.DataFrame:
    """Up to three neurons of three heuristics that the prompt satisfies.

    Every neuron stands for the heuristic it matches best. The most important neuron of each type
    goes first; where the types are fewer than three, the next important of another heuristic.
    """
    names = matches["heuristic"].unique()
    satisfied = [name for name in names if Heuristic.from_name(name).members(example).all()]
    held = own_heuristics(matches[matches["heuristic"].isin(satisfied)]).merge(
        neurons[["layer", "neuron", "importance"]], on=["layer", "neuron"]
    )
    order = ["importance", "layer", "neuron"]
    held = held.sort_values(order, ascending=[False, True, True], ignore_index=True)
    ordered = pd.concat([held.drop_duplicates("type"), held])
    return ordered.drop_duplicates("heuristic").head(N_NEURONS).reset_index(drop=True)


def tabulate_example(example: pd.DataFrame, chosen: pd.DataFrame, maps: str) -> pd.DataFrame:
    """One row a panel (prompt, neuron, what it does there), then the drawn cells (`COLUMNS`).

    activation is the neuron's at the prompt, promoted the numbers whose logits it raises most
    there: those of its value vector times the activation, so a negative one turns the order round.
    """
    prompt = dict(zip(PROMPT, example[["operator", "a", "b", "answer"]].iloc[0], strict=True))
    panels: list[dict[str, Any]] = []
    cells = []
    for panel, match in enumerate(chosen.to_dict("records"), start=1):
        neuron = read_neuron_map(maps, int(match["layer"]), int(match["neuron"]))
        inside = (int(prompt["prompt_a"]), int(prompt["prompt_b"]))
        frame = choose_frame(Heuristic.from_name(match["heuristic"]), neuron.prompts, inside)
        panels.append(
            {**prompt, **match, **_effect(neuron, prompt), "panel": panel}
            | dict(zip(FRAME, frame.as_tuple(), strict=True))
        )
        means = cell_means(neuron.prompts, neuron.values(match["map"]), frame)
        cells.append(means.assign(panel=panel))
    table = pd.concat([pd.DataFrame(panels or [prompt]), *cells], ignore_index=True)
    return table.reindex(columns=COLUMNS).astype(dict.fromkeys(INTEGERS, "Int64"))


def _effect(neuron: NeuronMap, prompt: dict[str, Any]) -> dict[str, Any]:
    """Activation at the prompt, and the numbers it promotes; unknown outside the maps' prompts."""
    a, b = neuron.prompts["a"], neuron.prompts["b"]
    row = np.flatnonzero((a == prompt["prompt_a"]) & (b == prompt["prompt_b"]))
    activation = float(neuron.k[row[0]]) if len(row) else float("nan")
    sign = -1.0 if activation < 0 else 1.0
    tokens = promoted_numbers(sign * neuron.value_logits, N_TOKENS)
    return {
        "activation": activation,
        "answer_logit": float(neuron.value_logits[int(prompt["answer"])]),
        "promoted": " ".join(map(str, tokens)),
    }


def draw_nothing(text: str) -> Drawn:
    """A figure without an example."""
    with style():
        return Drawn(message_figure(text), pd.DataFrame(columns=COLUMNS))


def draw_example(table: pd.DataFrame) -> Figure:
    """The maps side by side, the prompt a cross in each."""
    panels = table[table["a"].isna()]
    first = panels.iloc[0]
    sign = OPERATORS[first["operator"]].sign
    title = f"{first['prompt_a']} {sign} {first['prompt_b']} = {first['answer']}"
    with style():
        if panels["heuristic"].isna().all():
            return message_figure(f"{title}\nno neuron matches a heuristic this prompt satisfies")
        figure = new_figure(PAGE, 3.0)
        grid = figure.subplots(1, len(panels), squeeze=False)[0]
        for place, axes in enumerate(grid):
            panel = panels.iloc[place]
            cells = table[(table["panel"] == panel["panel"]) & table["a"].notna()]
            _panel(figure, axes, place, panel, cells)
        figure.suptitle(title, fontweight="bold", fontsize=9)
        return figure


def _panel(figure: Figure, axes: Axes, place: int, panel: pd.Series, cells: pd.DataFrame) -> None:
    frame = Frame(*(int(panel[name]) for name in FRAME))
    image = show_map(axes, cells.astype({"a": int, "b": int}), frame)
    axes.plot(
        panel["prompt_a"], panel["prompt_b"], marker="x", color="black", markersize=6,
        markeredgewidth=1.4,
    )  # fmt: skip
    neuron = neuron_name(int(panel["layer"]), int(panel["neuron"]))
    axes.set_title(
        f"{panel_letter(place)}  {neuron}: {panel['label']}\n"
        f"promotes here {panel['promoted'].replace(' ', ', ')}",
        fontsize=SMALL, linespacing=1.4,
    )  # fmt: skip
    name = "activation" if panel["map"] == "K" else "activation × answer logit"
    bar = figure.colorbar(image, ax=axes, orientation="horizontal", aspect=25, pad=0.03)
    bar.locator = MaxNLocator(5)
    bar.set_label(name, fontsize=SMALL)

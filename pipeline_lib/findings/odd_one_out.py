"""What the study odd one out found: sentences and tables that its own tables choose."""

from collections.abc import Mapping
from importlib import resources
from string import Template
from typing import Any

import numpy as np
import pandas as pd

from pipeline_lib.figures.odd_one_out.words import KIND_TITLES, TASK_TITLES
from pipeline_lib.findings.words import between, decimal, listed, markdown_table, percent
from pipeline_lib.stimuli.odd_one_out import CONTROLS

TEMPLATE = "odd_one_out.md"
Tables = Mapping[str, pd.DataFrame]
HEAD = ["task, pairs", "n", "right", "95 %", "chance", "margin", "gap", "pass"]
RATE = 0.05


def write_page(model: str, tables: Tables, documents: Mapping[str, dict[str, Any]]) -> str:
    """The page of results; ``documents`` are the choice of the task and the critical slice."""
    choice, critical = documents["choice"], documents["critical"]
    found = {
        "model": model,
        "able": able(tables["summary"]),
        "baselines": baselines(tables["summary"]),
        "choice": chosen(choice),
        "left_out": left_out(tables["summary"], tables["left_out"]),
        "necessity": necessity(tables["necessity"]),
        "sufficiency": sufficiency(tables["sufficiency"], critical),
        "hydra": hydra(tables["hydra"]),
        "paths": paths(tables, critical),
        "generality": generality(tables["generality"], critical),
        "subspace": subspace(tables["probe"], tables["patches"], critical),
        "neurons": neurons(tables["neurons"]),
        **cost(pd.concat([tables["costs"], tables["path_costs"]], ignore_index=True)),
    }
    text = resources.files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8")
    return Template(text).substitute(found)


def with_ends(row: Any, name: str, low: str = "low", high: str = "high") -> str:
    """A value of a row with its interval."""
    return f"{decimal(row[name])} {between(row[low], row[high])}"


def able(summary: pd.DataFrame) -> str:
    """Which tasks the model can do, told by the intervals of its accuracy."""
    own = summary[~summary["kind"].isin([*CONTROLS, "example"])]
    verdicts: dict[str, list[str]] = {"can": [], "cannot": []}
    for task, rows in own.groupby("task", sort=False):
        verdict = "can" if (rows["low"] > rows["chance"]).any() else "cannot"
        verdicts[verdict].append(f"*{TASK_TITLES[str(task)]}*")
    said = []
    if verdicts["cannot"]:
        said.append(f"This model cannot do {listed(verdicts['cannot'])}: no interval of its "
                    "accuracy lies above chance.")  # fmt: skip
    if verdicts["can"]:
        said.append(f"It is above chance in {listed(verdicts['can'])}.")
    return " ".join(said)


def baselines(summary: pd.DataFrame) -> str:
    """The table of all tasks and kinds of pairs."""
    rows = [
        [
            f"{TASK_TITLES[row['task']]}: {KIND_TITLES[row['kind']]}", str(row["pairs"]),
            percent(row["accuracy"]), f"{percent(row['low'])} to {percent(row['high'])}",
            percent(row["chance"]), with_ends(row, "margin_clean", "margin_clean_low",
            "margin_clean_high"), with_ends(row, "gap", "gap_low", "gap_high"), str(row["passing"]),
        ]
        for row in summary.to_dict("records")
    ]  # fmt: skip
    return markdown_table(HEAD, rows)


def chosen(choice: Mapping[str, Any]) -> str:
    """Which task is swept, and whether the model can do it."""
    title, n = TASK_TITLES[str(choice["task"])], choice["passing"]
    if choice["above_chance"]:
        return (
            f"The sweeps run on *{title}*, the first task that it can do, on pairs that pass ({n})."
        )
    return (
        f"No task is above chance with enough pairs. The sweeps run on the {n} pairs of *{title}* "
        "that pass, which may do so by luck: nothing below shows how the model solves a task."
    )


def left_out(summary: pd.DataFrame, dropped: pd.DataFrame) -> str:
    """Pairs left out by reason, and those within the noise."""
    reasons = dropped["reason"].str.split(":").str[0].value_counts()
    said = ", ".join(f"{reason} ({n})" for reason, n in reasons.items()) or "none"
    noise = int(summary["within_noise"].sum())
    return (
        f"Left out while pairs were drawn: {said}. Pairs whose clean and corrupt margins differ by "
        f"no more than the noise floor: {noise}; nothing is divided by their gap."
    )


def strongest(table: pd.DataFrame, column: str = "effect", *, largest: bool = True) -> Any:
    """The row with the largest (or smallest) value."""
    values = table[column].fillna(-np.inf if largest else np.inf)
    return table.loc[values.idxmax() if largest else values.idxmin()]


def necessity(table: pd.DataFrame) -> str:
    """Where each replacement costs most, at the swapped name and the query."""
    said = []
    for by, part in table[table["component"] == "residual"].groupby("by", sort=False):
        name, query = (
            strongest(part[part["position"] == place], largest=False)
            for place in ("swapped", "query")
        )
        said.append(
            f"by {by}: {with_ends(name, 'effect')} at the swapped name (layer {name['layer']}), "
            f"{with_ends(query, 'effect')} at the query (layer {query['layer']})"
        )
    parts = table[(table["component"] != "residual") & (table["position"] == "query")]
    worst = strongest(parts, largest=False)
    return (
        "The largest loss of margin (nats) when a layer's residual is replaced: "
        f"{'; '.join(said)}. "
        f"Of the critical layers' heads and MLPs at the query, L{worst['layer']} "
        f"{worst['component']} costs most: {with_ends(worst, 'effect')} (by {worst['by']})."
    )


def sufficiency(table: pd.DataFrame, critical: Mapping[str, Any]) -> str:
    """Where the swapped name stops and the query starts to carry the answer."""
    residual = table[table["component"] == "residual"].set_index(["position", "layer"])
    layers = critical["layers"]
    before = layers[0] - 1
    values = []
    for place, layer in (("swapped", before), ("query", before), ("swapped", layers[-1]),
                         ("query", layers[-1])):  # fmt: skip
        there = (place, layer) in residual.index
        values.append(with_ends(residual.loc[(place, layer)], "effect") if there else "–")
    heads = listed([f"L{layer} H{head}" for layer, head in critical["heads"]])
    return (
        f"Over the critical layers, {layers[0]} to {layers[-1]}, the answer moves to the query: "
        f"before them the residual at the swapped name recovers {values[0]} and that at the query "
        f"{values[1]}; after them {values[2]} and {values[3]}. The most sufficient parts there are "
        f"{heads} and the MLP of layer {critical['mlp']}."
    )


def hydra(table: pd.DataFrame) -> str:
    """Components above the slice whose direct effect changes."""
    above = table[table["q"].notna()]
    grown = above[(above["q"] <= RATE) & (above["effect"] > 0)]
    fallen = above[(above["q"] <= RATE) & (above["effect"] < 0)]
    total = float(above["effect"].sum())
    names = [f"L{r['layer']} {r['component']}" for r in
             grown.sort_values("effect", ascending=False).head(3).to_dict("records")]  # fmt: skip
    led = f", first {listed(names)}" if names else ""
    first = (
        f"{len(grown)} of {len(above)} components above the critical slice have a larger direct "
        f"effect once it is ablated (false discovery rate {RATE:g}){led}; "
        f"{len(fallen)} a smaller one."
    )
    return f"{first} The mean changes of all of them add up to {decimal(total)} nats."


def paths(tables: Tables, critical: Mapping[str, Any]) -> str:
    """The strongest direct path, the retrieval heads, and what their ablation does."""
    worst = strongest(tables["paths"], largest=False)
    said = (
        f"The direct path that costs most margin when it carries the corrupt run is that of "
        f"L{worst['layer']} {worst['component']} ({worst['position']}): "
        f"{with_ends(worst, 'effect')}."
    )
    probes = tables["retrieval"]
    if probes.empty:
        return f"{said} No one-name probe passes, so no retrieval heads were found."
    top = probes.sort_values("effect", ascending=False).head(5).to_dict("records")
    names = listed([f"L{r['layer']} {r['component']} ({r['position']})" for r in top])
    both = [r for r in top if [r["layer"], int(r["component"][1:])] in critical["heads"]]
    shared = f" Critical heads of the swept task among these: {len(both)}."
    ablation = tables["ablation"]
    verdicts = []
    for receiver in dict.fromkeys(ablation["receiver"]):
        part = ablation[ablation["receiver"] == receiver]
        own = part[part["draw"] < 0]
        if len(own):
            row, other = own.iloc[0], part.loc[part["draw"] >= 0, "effect"]
            spread = f"{decimal(other.min())} to {decimal(other.max())}" if len(other) else "none"
            verdicts.append(f"to {receiver} {with_ends(row, 'effect')} (random sets: {spread})")
    return (
        f"{said} One-name probes find most recovery in {names}.{shared} All retrieval heads' paths "
        f"together: {'; '.join(verdicts) or 'not measured'}."
    )


def generality(table: pd.DataFrame, critical: Mapping[str, Any]) -> str:
    """How many super-classes behave alike, and the controls' gaps."""
    at = table[(table["layer"] == critical["layer"]) & (table["position"] == "query")]
    own = at[~at["is_control"] & (at["group"] != "all") & (at["n"] > 1)]
    counts = [
        f"{int((part['low'] > 0).sum() if test == 'sufficiency' else (part['high'] < 0).sum())} of "
        f"{len(part)} for {test}"
        for test, part in own.groupby("test", sort=False)
    ]
    gaps = table[table["test"] == "gap"].set_index("group")
    said = [f"all pairs {with_ends(gaps.loc['all'], 'effect')}"]
    said += [
        f"{KIND_TITLES[kind]} {with_ends(gaps.loc[kind], 'effect')}"
        for kind in CONTROLS
        if kind in gaps.index
    ]
    return (
        f"Super-classes (two pairs or more) in which the query at layer {critical['layer']} has "
        f"the expected effect with an interval beyond 0: {', '.join(counts)}. "
        f"Gaps: {'; '.join(said)}."
    )


def subspace(probe: pd.DataFrame, patches: pd.DataFrame, critical: Mapping[str, Any]) -> str:
    """Accuracy at the chosen rank, and what the subspace and its complement carry."""
    own = probe[(probe["variant"] == "probe") & probe["is_chosen"]].iloc[0]
    rank = int(own["rank"])
    null = probe[(probe["variant"] != "probe") & (probe["rank"] == rank)].iloc[0]
    kept = patches[patches["is_chosen"]]
    at = {name: kept[kept["subspace"] == name] for name in dict.fromkeys(kept["subspace"])}
    values = {name: with_ends(part.iloc[0], "recovery") for name, part in at.items()}
    inside, random = at["probe"].iloc[0], at["random"].iloc[0]
    verdict = (
        "more than random subspaces" if inside["low"] > random["high"] else
        "not measurably more than random subspaces"
    )  # fmt: skip
    whole, rest = at["whole"].iloc[0], at["complement"].iloc[0]
    beyond = (
        " Most of what the query carries lies outside it." if rest["recovery"] > inside["recovery"]
        else " Most of what the query carries lies in it."
    )  # fmt: skip
    return (
        f"A linear probe tells the super-class of people it has not seen in the residual of layer "
        f"{critical['layer']} at the query: accuracy {with_ends(own, 'accuracy')} with {rank} "
        f"directions, chance {decimal(own['chance'])}, shuffled labels "
        f"{decimal(null['accuracy'])}. "
        f"Patched alone, that subspace recovers {values['probe']}, {verdict} ({values['random']}); "
        f"its complement {values['complement']}, the whole residual {values['whole']} "
        f"(n = {int(whole['n'])}).{beyond}"
    )


def neurons(table: pd.DataFrame) -> str:
    """The largest neuron, how many pass, how exact the attribution is."""
    first = table.iloc[0]
    passing = int((table["q"] <= RATE).sum())
    agree = float(np.corrcoef(table["effect"], table["exact"])[0, 1]) if len(table) > 2 else np.nan
    return (
        f"The corrupt run's activation of N{first['neuron']} (layer {first['layer']}) moves the "
        f"margin most: {with_ends(first, 'effect')} by attribution, "
        f"{with_ends(first, 'exact', 'exact_low', 'exact_high')} exactly. Of the {len(table)} "
        f"neurons shown, {passing} pass a false discovery rate of {RATE:g} over the whole layer; "
        f"attribution and exact patches correlate by {decimal(agree)}. Their best AUROC for a "
        f"super-class is {decimal(table['auroc'].mean())} in the mean, that of random neurons "
        f"{decimal(first['auroc_random'])}."
    )


def cost(table: pd.DataFrame) -> dict[str, str]:
    """What the sweeps cost against a loop of whole forward passes."""
    ratio = table["loop_token_layers"].sum() / max(table["token_layers"].sum(), 1)
    rows = [
        [row["sweep"].replace("_", " "), str(int(row["pairs"])), f"{int(row['patches']):,}",
         f"{row['times_less']:.1f}"]
        for row in table.to_dict("records")
    ]  # fmt: skip
    text = (
        f"All sweeps together made {int(table['patches'].sum()):,} patches with {ratio:.1f} times "
        "less arithmetic (positions times layers) than a loop of whole forward passes."
    )
    return {
        "cost": text,
        "costs": markdown_table(["sweep", "pairs", "patches", "times less"], rows),
    }

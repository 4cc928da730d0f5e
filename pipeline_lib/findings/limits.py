"""What the run does not show: limits that its own tables reveal."""

from collections.abc import Sequence

import numpy as np

from pipeline_lib.findings.neurons import shares, silenced
from pipeline_lib.findings.tables import Tables, studied
from pipeline_lib.findings.words import titles
from pipeline_lib.stats import wilson_interval


def limits(tables: Tables, operators: Sequence[str]) -> str:
    """A line for every limit of this run, none where it has none."""
    found = [line(tables, operators) for line in (without_prompts, without_control, without_null)]
    found += [memorised(tables)]
    return "\n".join(f"- {text}" for text in found if text)


def without_prompts(tables: Tables, operators: Sequence[str]) -> str:
    """Operators of which nothing was measured."""
    gone = [op for op in operators if op not in studied(tables, operators)]
    return f"Of {titles(gone)} nothing was measured." if gone else ""


def without_control(tables: Tables, operators: Sequence[str]) -> str:
    """Operators whose knockout by prompt has no control."""
    table = tables["fig08_prompt_knockout"]
    gone = [
        op for op in studied(tables, operators) if silenced(table, op).verdict == "uncontrolled"
    ]
    return f"The knockout by prompt has no control in {titles(gone)}." if gone else ""


def without_null(tables: Tables, operators: Sequence[str]) -> str:
    """Operators whose classified neurons were compared with no null."""
    table = tables["fig_classified_share"]
    gone = [op for op in studied(tables, operators) if not shares(table, op).nulls]
    return f"No null was made for the neurons of {titles(gone)}." if gone else ""


def memorised(tables: Tables) -> str:
    """Operators that were trained on better than the Wilson interval of held-out prompts.

    Both accuracies are the training's own record, also where the run has fewer prompts.
    """
    table = tables["table03_accuracy"]
    table = table[table["held_out_prompts"] > 0]
    held_out = table["held_out_accuracy"].to_numpy(np.float64)
    _, high = wilson_interval(held_out, table["held_out_prompts"].to_numpy(np.int64))
    lost = table["train_accuracy"].to_numpy(np.float64) - np.maximum(high, held_out)
    gone = table["operator"][lost > 0].tolist()
    if not gone:
        return ""
    return (
        f"Accuracy is measurably lower on prompts held out of training in {titles(gone)}: "
        "some answers there may be memorised."
    )

"""Sweeps over layers, components and positions of text prompts, with one table format.

A sweep patches or replaces one component at one place at a time and keeps the logits of a few
candidate tokens; a study turns these into its measure and hands it to `tabulate`.
"""

from pipeline_lib.sweeps.cost import sweep_cost
from pipeline_lib.sweeps.grid import Grid, Swept, sweep
from pipeline_lib.sweeps.noise import noise_floor
from pipeline_lib.sweeps.recovery import recovery
from pipeline_lib.sweeps.replacements import replaced
from pipeline_lib.sweeps.table import COLUMNS, tabulate

__all__ = [
    "COLUMNS",
    "Grid",
    "Swept",
    "noise_floor",
    "recovery",
    "replaced",
    "sweep",
    "sweep_cost",
    "tabulate",
]

"""Where numbers are looked for in the residual stream."""

COLUMNS = {"operand1": "a", "operand2": "b", "equals": "answer"}
"""Number of a prompt that is looked for at each position."""
TOKENS = {"operand1": -4, "operand2": -2, "equals": -1}
"""Column of each position, from the last."""
PATCHED = ("operand1", "equals")
"""Positions at which subspaces are patched, in pairs of prompts that differ in operand 1."""
N_RANDOM = 5
"""Random subspaces, over which their effect is averaged."""

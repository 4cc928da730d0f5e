"""Names that stages and figures share, apart from what needs torch: figures need not load it."""

from typing import Literal, get_args

PATTERNS_KIND = "induction_patterns"
ORDERS, REPEATED = "orders", "repeated"
"""Groups of prompts in the patterns' artifact; the prompts of one have the same length."""
Kind = Literal["zero", "mean"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""What takes the place of an ablated head's z."""

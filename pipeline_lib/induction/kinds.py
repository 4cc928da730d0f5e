"""Names that stages and figures share, apart from what needs torch: figures need not load it."""

PATTERNS_KIND = "induction_patterns"
ORDERS, REPEATED = "orders", "repeated"
"""Groups of prompts in the patterns' artifact; the prompts of one have the same length."""
KINDS = ("zero", "mean")
"""What takes the place of an ablated head's z."""

"""Kinds of artifacts of this study, apart from what makes them: figures need not load torch."""

PATTERNS_KIND = "induction_patterns"

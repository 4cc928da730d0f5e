"""Artifacts of the stages, one module a kind: its axes and units, how it is written and read."""

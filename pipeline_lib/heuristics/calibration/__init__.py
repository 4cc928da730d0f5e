"""Calibrated matching: evidence for heuristics beyond a smooth trend, against maps by chance."""

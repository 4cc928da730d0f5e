"""Figures of the study bayes."""

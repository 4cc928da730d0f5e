"""Figures of the study of induction drift, one module each."""

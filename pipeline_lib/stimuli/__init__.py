"""Stimuli of the studies, one module each."""

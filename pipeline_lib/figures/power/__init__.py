"""Figures of the study power: whether a model tells the sentences apart, and where it does."""

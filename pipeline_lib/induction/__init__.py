"""Induction drift: does the order of two symbols move a model's P(X), and which heads do it.

Definitions: docs/induction.md. Every measure is of P(X) normalised over the two symbols.
"""

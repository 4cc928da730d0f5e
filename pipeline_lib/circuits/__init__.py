"""Circuits: which components carry out the computation."""

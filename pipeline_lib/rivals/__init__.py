"""Rivals of the heuristics: Fourier modes of the operands, helices of numbers (definitions 15)."""

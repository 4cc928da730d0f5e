"""Neurons: their importance, their activation maps over the operand plane, their overlap."""

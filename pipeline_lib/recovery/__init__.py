"""What the methods find of a network in which everything is known (definitions 16)."""

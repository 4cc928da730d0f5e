"""Knockouts: whether silencing the neurons of a heuristic breaks the prompts it should serve."""

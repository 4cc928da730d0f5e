"""The study odd one out: pairs, baselines, sweeps, paths, subspaces, neurons."""

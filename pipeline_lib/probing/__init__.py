"""Linear probes: what can be read from the residual stream (paper section 2.2)."""

"""A network built by hand, whose heads and neurons are known: the truth to test methods on."""

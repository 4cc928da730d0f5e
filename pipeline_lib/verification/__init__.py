"""Self-test of the engine: identities and plain hooks, in code that shares nothing with it."""

"""Numbers that the papers state, as data files; each has the module that reads it beside it."""

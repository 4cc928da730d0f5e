"""Study bayes: whether a model integrates draws as Bayes' rule does, and where."""

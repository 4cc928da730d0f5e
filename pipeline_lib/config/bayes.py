"""Settings of the study bayes."""

from pipeline_lib.config.study import StudySection


class BayesStudy(StudySection):
    """Does a model integrate draws from a generator as Bayes' rule does (docs/bayes.md)."""

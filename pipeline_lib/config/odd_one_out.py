"""Settings of the study odd one out."""

from pipeline_lib.config.study import StudySection


class OddOneOutStudy(StudySection):
    """Which parts of a model find the odd one out (docs/odd_one_out.md)."""

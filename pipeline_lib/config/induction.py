"""Settings of the study induction."""

from pipeline_lib.config.study import StudySection


class InductionStudy(StudySection):
    """Do induction heads make a counter order-sensitive (docs/induction.md)."""

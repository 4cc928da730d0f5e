"""Settings of the study power."""

from pipeline_lib.config.study import StudySection


class PowerStudy(StudySection):
    """Where a model holds who exercises power over whom (docs/power.md)."""

"""The cost of a run before it starts: jobs, FLOPs, hours, memory and disk of every stage.

Nothing is loaded but the models' config.json; torch is imported by `calibrate` alone.
"""

from pipeline_lib.plan.assumptions import Expected
from pipeline_lib.plan.planning import ModelPlan, make_plan
from pipeline_lib.plan.report import (
    Throughput,
    assumed_throughput,
    plan_table,
    plan_text,
    stated_throughput,
)
from pipeline_lib.plan.stages import Stage

__all__ = [
    "Expected",
    "ModelPlan",
    "Stage",
    "Throughput",
    "assumed_throughput",
    "make_plan",
    "plan_table",
    "plan_text",
    "stated_throughput",
]

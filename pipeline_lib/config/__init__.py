"""Typed, strict configuration of all studies: one source of truth.

``load_config`` checks everything at once. The JSON schema of the file and the table of keys in
``config/README.md`` are generated from the same types. Only the Snakefile and notebooks import this
room: stages get plain values as parameters, so that a new key makes no stage stale.
"""

from pipeline_lib.config.arithmetic import ArithmeticStudy
from pipeline_lib.config.base import OPERATOR_NAMES, POSITION_NAMES, Section
from pipeline_lib.config.docs import docs_table, json_schema
from pipeline_lib.config.files import read_yaml, refuse_templates
from pipeline_lib.config.heuristics import HeuristicsSection
from pipeline_lib.config.loading import load_config, merge, read_presets
from pipeline_lib.config.models import HubModel, LocalModel, PackageModel, PlantedModel
from pipeline_lib.config.problems import InvalidConfigError, Problem
from pipeline_lib.config.root import SISTERS, Config

__all__ = [
    "OPERATOR_NAMES",
    "POSITION_NAMES",
    "SISTERS",
    "ArithmeticStudy",
    "Config",
    "HeuristicsSection",
    "HubModel",
    "InvalidConfigError",
    "LocalModel",
    "PackageModel",
    "PlantedModel",
    "Problem",
    "Section",
    "docs_table",
    "json_schema",
    "load_config",
    "merge",
    "read_presets",
    "read_yaml",
    "refuse_templates",
]

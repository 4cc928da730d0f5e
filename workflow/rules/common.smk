"""Configuration, surroundings of the jobs, fingerprints of code.

inputs: the config, already merged by Snakemake from config files and the command line
outputs: CONFIG, STUDY, MODEL_NAMES, CHECKPOINTS, get_code
steps: make the library importable, validate the config, prepare what jobs find in their environment
"""

import os
import re
import sys
from itertools import takewhile
from pathlib import Path

ROOT = Path(workflow.current_basedir).resolve().parents[1]
sys.path.insert(0, str(ROOT))
# Idle threads must not spin: the jobs of a workstation share its cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

from snakemake.exceptions import WorkflowError

from pipeline_lib.code_memory import LEDGER, keep, open_reader, record
from pipeline_lib.config import load_config, refuse_templates
from pipeline_lib.errors import BagpipeError
from pipeline_lib.figures.catalog import RULES, VARIANTS
from pipeline_lib.fingerprint import combined
from pipeline_lib.models.checksums import checksums
from pipeline_lib.pieces import MINUTES_VARIABLE
from pipeline_lib.preflight import check_workspace
from pipeline_lib.warm.launch import environment_of_jobs


def shares_allocation():
    """Whether this is the Snakemake of an allocation of a cluster that has several jobs."""
    arguments = sys.argv[1:]
    if not workflow.remote_exec or "--target-jobs" not in arguments:
        return False
    jobs = arguments[arguments.index("--target-jobs") + 1 :]
    return len(list(takewhile(lambda argument: argument[:2] != "--", jobs))) > 1


os.environ.update(
    environment_of_jobs(ROOT, os.environ, share_models=shares_allocation())
)

try:
    refuse_templates(workflow.configfiles)
    CONFIG = load_config(config, presets=ROOT / "config" / "presets")
    check_workspace(CONFIG, Path.cwd())
except BagpipeError as error:
    raise WorkflowError(str(error)) from None

os.environ[MINUTES_VARIABLE] = str(CONFIG.resume_minutes)
STUDY = CONFIG.arithmetic
MODEL_NAMES = CONFIG.all_model_names()
CHECKPOINTS = sorted({c for m in CONFIG.models.values() for c in m.checkpoints})


MEMORY = Path(".snakemake/bagpipe")
READER = open_reader(ROOT, MEMORY / "analyses.json")
CODE = {}


def get_code(script, *modules):
    """Fingerprint of the code a stage runs: its script and the library modules it imports."""
    parts = READER.explain(ROOT / "workflow" / "scripts" / f"{script}.py", *modules)
    name = combined(parts)
    CODE[name] = parts
    return name


def remember_code():
    """Keep the analyses of code for the next start, unless this one must leave no trace."""
    if not os.environ.get("BAGPIPE_READ_ONLY"):
        keep(READER, MEMORY / "analyses.json")


def record_code():
    """At the start of a run: keep what its fingerprints are made of, for `pipeline_lib why`."""
    record(CODE, MEMORY / LEDGER)

"""Describes the jobs of a run as JSON, without starting any and without leaving a trace.

python workflow/describe.py OUT [--everything] SNAKEMAKE_OPTIONS...

Takes the options of Snakemake, so that it sees the jobs that a dry run with them would plan; the
library, which does not know Snakemake, reads the result (``pipeline_lib.jobs``). With
``--everything`` the params of jobs that are up to date or were never run are there too.
"""

import gc
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import snakemake.cli
import snakemake.workflow
from snakemake.dag import DAG
from snakemake.jobs import Job
from snakemake.logging import LoggerManager
from snakemake.persistence.file import FilePersistence
from snakemake.settings.types import DeploymentMethod
from snakemake.workflow import Workflow


class ReadOnlyPersistence(FilePersistence):
    """Reads a project's records where they are; what it would write goes to BAGPIPE_SCRATCH."""

    def __init__(self, *args: Any, **options: Any) -> None:
        real = Path(".snakemake").absolute()
        options["path"] = Path(tempfile.mkdtemp(dir=os.environ["BAGPIPE_SCRATCH"]))
        super().__init__(*args, **options)
        for part in ("metadata", "incomplete"):
            if (real / part).is_dir():
                setattr(self, f"_{part}_path", str(real / part))


def describe(workflow: Workflow, everything: bool = False) -> dict[str, Any]:
    """All jobs that the targets need, each with its reason to run if it has one."""
    workflow._prepare_dag(
        forceall=workflow.dag_settings.forceall, ignore_incomplete=False, lock_warn_only=True
    )
    workflow._build_dag()
    dag = workflow.dag
    jobs = [job for job in dag.jobs if job.rule.output]
    numbers = {job: number for number, job in enumerate(jobs)}
    described = [_job(dag, job, numbers, everything) for job in jobs]
    used = {
        job["params"]["code"].strip("'") for job in described if "code" in job.get("params", {})
    }
    code = workflow.globals.get("CODE", {})
    return {"jobs": described, "code": {name: code[name] for name in sorted(used & code.keys())}}


def _job(dag: DAG, job: Job, numbers: dict[Job, int], everything: bool) -> dict[str, Any]:
    stale = dag.needrun(job)
    facts: dict[str, Any] = {
        "rule": job.rule.name,
        "wildcards": dict(job.wildcards_dict),
        "output": list(job.output),
        "log": list(job.log),
        "benchmark": str(job.benchmark) if job.benchmark else None,
        "needs": sorted(numbers[other] for other in dag.dependencies[job] if other in numbers),
        "stale": stale,
    }
    known = stale and dag.workflow.persistence.has_metadata(job)
    if known or everything:
        facts["params"] = {name: repr(value) for name, value in job.params._allitems() if name}
        sources = job.rule.params._allitems()
        facts["keys"] = {name: keys for name, source in sources if (keys := _keys(source, job))}
        facts["recorded_params"] = dag.workflow.persistence._params(job)
        facts["input"] = dag.workflow.persistence._input(job)
    return facts | (_reason(dag, job, known) if stale else {})


def _keys(source: Any, job: Job) -> dict[str, str]:
    """Config keys that a param is read from: dotted, by key of the param ("" for all of it)."""
    workflow = job.dag.workflow
    _, found = workflow.globals.get("CONFIG_KEYS", {}).get(id(source), (None, {}))
    model = str(job.wildcards_dict.get("model", "")).partition("@")[0]
    return {
        name: _overridden(key.replace("{model}", model), model, workflow.config)
        for name, key in found.items()
    }


def _overridden(key: str, model: str, config: dict[str, Any]) -> str:
    """The key under which a value is given for the model alone, if it is; else the study's key."""
    own: Any = config.get("models", {}).get(model, {})
    for part in key.split("."):
        if not isinstance(own, dict) or part not in own:
            return key
        own = own[part]
    return f"models.{model}.{key}"


def _reason(dag: DAG, job: Job, known: bool) -> dict[str, Any]:
    """Why a job has to run, as Snakemake sees it, and what its outputs were made with."""
    reason, persistence = dag.reason(job), dag.workflow.persistence
    before = next((m for m in map(persistence.metadata, job.output) if m), None) if known else None
    if before and not reason.params_changed:
        changed = persistence.params_changed(job)
        reason.params_changed = changed
    if reason.params_changed:
        before = persistence.metadata(sorted(reason.params_changed.files, key=str)[0])
    return {
        "missing": sorted(map(str, reason.missing_output)),
        "updated": [
            _updated(dag, str(file), file, before) for file in sorted(reason.updated_input, key=str)
        ],
        "follows": sorted({str(file) for file in reason.updated_input_run}),
        "forced": bool(reason.forced),
        "incomplete": [str(file) for file in dag.workflow.async_run(persistence.incomplete(job))]
        if reason.forced
        else [],
        "no_record": bool(reason.no_metadata or reason.outdated_metadata),
        "params_changed": bool(reason.params_changed),
        "input_changed": bool(before) and any(persistence.input_changed(job)),
        "environment_changed": bool(reason.software_stack_changed),
        "before": {"params": before.params, "input": before.input} if before else None,
    }


def _updated(dag: DAG, name: str, file: Any, before: Any) -> dict[str, Any]:
    """An input that is newer than the outputs: its checksums then and now, where there are any."""
    limit = dag.max_checksum_file_size
    now = dag.workflow.async_run(file.checksum(limit))
    then = (before.input_checksums or {}).get(name) if before else None
    return {"file": name, "then": then, "now": now}


def main(arguments: list[str]) -> None:
    """Describe to the file that is named first; further arguments are those of Snakemake."""
    gc.disable()  # nothing of the graph becomes garbage, and looking takes a fifth of the time
    out, *options = arguments
    everything = "--everything" in options
    options = [option for option in options if option != "--everything"]

    def write(workflow: Workflow) -> None:
        if DeploymentMethod.CONDA not in workflow.deployment_settings.deployment_method:
            DAG.update_conda_envs = lambda dag: None  # takes a tenth of the time, for nothing
        Path(out).write_text(json.dumps(describe(workflow, everything)), encoding="utf-8")

    snakemake.workflow.FilePersistence = ReadOnlyPersistence
    Workflow.printd3dag = write
    LoggerManager.setup_logfile = lambda manager, **where: None
    snakemake.cli.main(["--d3dag", "--quiet", "rules", *options])


if __name__ == "__main__":
    main(sys.argv[1:])

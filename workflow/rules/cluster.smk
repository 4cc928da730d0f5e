"""What runs inside an allocation of SLURM, and what is left of it when it dies.

inputs: the SLURM plugin, where it is installed (profiles/slurm uses it)
outputs: its executor, with the behaviour of this file (docs/cluster.md, "When something dies")
steps: old outputs leave and records are written before submission; one snakemake an allocation
"""

import threading

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry
from snakemake_interface_executor_plugins.utils import (
    encode_target_jobs_cli_args,
    format_cli_arg,
)


def get_unfinished(group):
    """Members of a group whose outputs are not all there; one of them where all are."""
    members = list(group.jobs)
    return [m for m in members if not all(map(os.path.exists, m.output))] or members[:1]


def get_target_argument(jobs):
    """The argument that names the jobs of an allocation."""
    specs = [spec for job in jobs for spec in job.get_target_spec()]
    return format_cli_arg("--target-jobs", encode_target_jobs_cli_args(specs))


def get_job_name(job, prefix):
    """What the queue shows: stage and model, behind a prefix if there is one."""
    if job.is_group():
        name = job.groupid
    else:
        name = "-".join(filter(None, [job.name, job.wildcards_dict.get("model")]))
    return re.sub(r"[^\w.@-]", "-", "-".join(filter(None, [prefix, name])))


def get_allocating_executor(plugin):
    """The plugin's executor, changed so that groups are cheap and their finished members survive."""

    class Executor(plugin.executor):
        names = threading.local()
        """Of the job that this thread submits."""

        @property
        def run_uuid(self):
            """Name of the job that is being submitted; where states are asked, names of all jobs.

            The plugin names all jobs by the number of its run, by which it finds them again.
            """
            return getattr(self.names, "own", None) or ",".join(self.given)

        @run_uuid.setter
        def run_uuid(self, number):
            self.given = {number: None}

        def run_job_pre(self, job):
            """Before a job is submitted for the first time, old outputs leave and records are written.

            As with a local job, nothing old may lie where a job that died is thought to have
            written; and the records are right even if this process does not see the job's end.
            Outputs that are missing are made again, whatever their records say.
            """
            if job.attempt == 1:
                self.workflow.async_run(job.remove_existing_output())
                for member in job.jobs if job.is_group() else [job]:
                    self.workflow.async_run(self.workflow.persistence.finished(member))
            super().run_job_pre(job)

        def run_job(self, job):
            """A group that cannot be submitted has failed; the plugin would wait for it for ever."""
            prefix = self.workflow.executor_settings.jobname_prefix
            self.names.own = get_job_name(job, prefix)
            self.given[self.names.own] = None
            try:
                super().run_job(job)
            except Exception as error:
                reason = f"The job could not be submitted: {error.__context__ or error}"
                self._report_job_error_threadsafe(SubmittedJobInfo(job), reason)
            finally:
                self.names.own = None

        def additional_general_args(self):
            """Members run in the snakemake of the allocation, and one that fails stops no other.

            A job array needs the plugin's own way, in which each member starts one snakemake more.
            """
            if self.array_jobs:
                return super().additional_general_args()
            return "--executor local --keep-going"

        def get_job_args(self, job):
            """Members share what the allocation has; those that an attempt finished are left out."""
            has = {name: job.resources.get(name) for name in ("gpu", "mem_mb")}
            limits = [f"{name}={amount}" for name, amount in has.items() if amount]
            resources = f" --resources {' '.join(limits)}" if limits else ""
            args = f"{super().get_job_args(job)} --cores {job.threads}{resources}"
            if job.attempt == 1 or not job.is_group():
                return args
            rest = get_target_argument(get_unfinished(job))
            return args.replace(get_target_argument(job.jobs), rest, 1)

        def print_job_error(self, job_info, msg=None, **kwargs):
            """Why a group failed is said, too; Snakemake says it of single jobs only."""
            if msg and job_info.job.is_group():
                self.logger.error(msg)
            super().print_job_error(job_info, msg=msg, **kwargs)

        async def sleep(self):
            """The end of a job is seen soon; the plugin would wait for up to three minutes."""
            first = self.workflow.executor_settings.init_seconds_before_status_checks
            wait = self.next_seconds_between_status_checks
            self.next_seconds_between_status_checks = min(wait, 3 * first)
            await super().sleep()

    return Executor


slurm_plugin = ExecutorPluginRegistry().plugins.get("slurm")
if slurm_plugin is not None:
    slurm_plugin.executor = get_allocating_executor(slurm_plugin)

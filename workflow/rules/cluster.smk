"""What runs inside an allocation of SLURM, and what is left of it when it dies.

inputs: the SLURM plugin, where it is installed (profiles/slurm uses it)
outputs: its executor, with the behaviour of this file (docs/cluster.md, "What a job does")
steps: old outputs leave and records are written before submission; one snakemake an allocation
"""

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry


def get_allocating_executor(plugin):
    """The plugin's executor, changed so that groups are cheap and their finished members survive."""

    class Executor(plugin.executor):
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
            """A group that cannot be submitted is a failed job; the plugin would wait for it for ever."""
            try:
                super().run_job(job)
            except Exception as error:
                reason = f"The job could not be submitted: {error.__context__ or error}"
                self._report_job_error_threadsafe(SubmittedJobInfo(job), reason)

        def additional_general_args(self):
            """Members run in the snakemake of the allocation, and one that fails stops no other."""
            return "--executor local --keep-going"

        def get_job_args(self, job):
            """Inside, members share what the allocation has."""
            has = {name: job.resources.get(name) for name in ("gpu", "mem_mb")}
            limits = [f"{name}={amount}" for name, amount in has.items() if amount]
            resources = f" --resources {' '.join(limits)}" if limits else ""
            return f"{super().get_job_args(job)} --cores {job.threads}{resources}"

        def format_job_exec(self, job):
            """What an attempt before has finished is not made again (no --force)."""
            return super().format_job_exec(job).replace(" --force ", " ", 1)

        async def sleep(self):
            """The end of a job is seen soon; the plugin would wait for up to three minutes."""
            first = self.workflow.executor_settings.init_seconds_before_status_checks
            wait = self.next_seconds_between_status_checks
            self.next_seconds_between_status_checks = min(wait, 3 * first)
            await super().sleep()

    return Executor


slurm = ExecutorPluginRegistry().plugins.get("slurm")
if slurm is not None:
    slurm.executor = get_allocating_executor(slurm)

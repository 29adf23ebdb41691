"""Compute 算: jobs with progress, in processes of their own."""

from yunmeng.kernel.compute.child import JobContext, JobFunction
from yunmeng.kernel.compute.definitions import JobDefinition, job_definition, job_definitions
from yunmeng.kernel.compute.runner import JobRunner
from yunmeng.kernel.compute.runs import (
    RUN_KIND,
    File,
    Run,
    RunState,
    cancel_job,
    read_run,
    read_runs,
    start_job,
)

__all__ = [
    "RUN_KIND",
    "File",
    "JobContext",
    "JobDefinition",
    "JobFunction",
    "JobRunner",
    "Run",
    "RunState",
    "cancel_job",
    "job_definition",
    "job_definitions",
    "read_run",
    "read_runs",
    "start_job",
]

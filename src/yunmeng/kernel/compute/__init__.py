"""Compute 算: jobs with progress, rules that raise alerts, and the events that alerts become."""

from yunmeng.kernel.compute.child import JobContext, JobFunction
from yunmeng.kernel.compute.definitions import JobDefinition, job_definition, job_definitions
from yunmeng.kernel.compute.response.alert import (
    GRADES,
    SEVERITY,
    Alert,
    Grade,
    alert_id,
    at_least,
    check_grade,
    graver,
)
from yunmeng.kernel.compute.response.alert import from_entity as read_alert
from yunmeng.kernel.compute.response.alert import to_entity as alert_entity
from yunmeng.kernel.compute.response.cap import MEDIA_TYPE as CAP
from yunmeng.kernel.compute.response.cap import from_cap, to_cap
from yunmeng.kernel.compute.response.event import (
    OPEN_STAGES,
    Event,
    Stage,
    Step,
    Task,
    advance,
    event_id,
    task_entity,
)
from yunmeng.kernel.compute.response.event import from_entity as read_event
from yunmeng.kernel.compute.response.event import to_entity as event_entity
from yunmeng.kernel.compute.rules.rule import Rule, load_rules, read_rules
from yunmeng.kernel.compute.rules.runner import RuleRunner
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
from yunmeng.kernel.compute.schedule import Scheduler, appointments

__all__ = [
    "CAP",
    "GRADES",
    "OPEN_STAGES",
    "RUN_KIND",
    "SEVERITY",
    "Alert",
    "Event",
    "File",
    "Grade",
    "JobContext",
    "JobDefinition",
    "JobFunction",
    "JobRunner",
    "Rule",
    "RuleRunner",
    "Run",
    "RunState",
    "Scheduler",
    "Stage",
    "Step",
    "Task",
    "advance",
    "alert_entity",
    "alert_id",
    "appointments",
    "at_least",
    "cancel_job",
    "check_grade",
    "event_entity",
    "event_id",
    "from_cap",
    "graver",
    "job_definition",
    "job_definitions",
    "load_rules",
    "read_alert",
    "read_event",
    "read_rules",
    "read_run",
    "read_runs",
    "start_job",
    "task_entity",
    "to_cap",
]

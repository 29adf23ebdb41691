"""Jobs for the pages: what there is to run, what runs, starting, stopping, results."""

from typing import Any

import msgspec
from starlette.responses import Response, StreamingResponse

from yunmeng.console.registry import form_schema
from yunmeng.kernel.base import JobInput, NotFound, YunmengError, problem
from yunmeng.kernel.compute import (
    JobDefinition,
    Run,
    cancel_job,
    job_definition,
    job_definitions,
    read_run,
    read_runs,
    start_job,
)
from yunmeng.kernel.serve import Call, as_object, json_reply, read_json
from yunmeng.kernel.trust import Reach

_MOST_RUNS = 100


async def jobs(call: Call) -> Response:
    """Answers with the jobs, each with the JSON Schema of its form, and the newest runs in reach."""
    runs = await read_runs(call.services.state, _MOST_RUNS)
    return json_reply(
        {
            "jobs": [_job(call, one) for one in job_definitions()],
            "runs": [_run(call, one) for one in runs if may_see(call.reach, one)],
        }
    )


async def start(call: Call) -> Response:
    """Starts a job: ``{"inputs": {...}}``; answers 202 with the id of the run."""
    body = as_object(await read_json(call.request), "body")
    given = as_object(body.get("inputs", {}), "inputs")
    inputs = {name: str(value) for name, value in given.items()}
    job = job_definition(call.request.path_params["id"])
    run = await start_job(call.services.bus, job.id, inputs, call.principal, call.reach)
    return json_reply({"run": run}, 202)


async def run(call: Call) -> Response:
    """Answers with one run."""
    return json_reply(_run(call, await _found(call)))


async def cancel(call: Call) -> Response:
    """Ends a run."""
    found = await _found(call)
    await cancel_job(call.services.bus, found.id, call.principal)
    return json_reply({"run": found.id}, 202)


async def file(call: Call) -> Response:
    """Answers with a file that a run made."""
    found = await _found(call)
    name = call.request.path_params["name"]
    for one in found.files:
        if one.name == name:
            headers = {"content-disposition": "attachment", "content-length": str(one.size)}
            return StreamingResponse(
                call.services.objects.stream(one.key), media_type=one.media_type, headers=headers
            )
    raise NotFound("console.view.unknown", kind="files", id=name)


def may_see(reach: Reach, run: Run) -> bool:
    """Tells whether a run lies in a reach: its tenant, and no division beyond it."""
    if run.reach.tenant != reach.tenant:
        return False
    if reach.prefixes is None:
        return True
    own = run.reach.prefixes
    return own is not None and all(prefix.startswith(reach.prefixes) for prefix in own)


async def _found(call: Call) -> Run:
    id = call.request.path_params["run"]
    found = await read_run(call.services.state, id)
    if found is None or not may_see(call.reach, found):
        raise NotFound("job.no-run", run=id)
    return found


def _job(call: Call, job: JobDefinition) -> dict[str, Any]:
    return {
        "id": job.id,
        "package": job.package,
        "name": job.name.get(call.language),
        "schema": form_schema(job.id) or _schema(call, job),
    }


def _schema(call: Call, job: JobDefinition) -> dict[str, Any]:
    """Makes the JSON Schema of a job's form from its ``package.toml``."""
    return {
        "type": "object",
        "properties": {row.name: _field(call, row) for row in job.inputs},
        "required": [row.name for row in job.inputs if row.required],
    }


def _field(call: Call, row: JobInput) -> dict[str, Any]:
    formats = {"division": "division", "instant": "date-time"}
    field: dict[str, Any] = {"title": row.label.get(call.language), "type": "string"}
    if row.kind == "number":
        field["type"] = "number"
    if row.kind in formats:
        field["format"] = formats[row.kind]
    if row.choices:
        field["enum"] = list(row.choices)
    return field | ({"default": row.default} if row.default else {})


def _run(call: Call, run: Run) -> dict[str, Any]:
    error = None
    if run.error:
        said = problem(YunmengError(run.error, **run.facts), call.language)
        error = {"title": said.title, "detail": said.detail, "remedy": said.remedy}
    names = {job.id: job.name.get(call.language) for job in job_definitions()}
    return {
        "id": run.id,
        "job": run.job,
        "job_name": names.get(run.job, run.job),
        "inputs": run.inputs,
        "inputs_hash": run.inputs_hash,
        "by": run.principal.id.rpartition(":")[2],
        "state": run.state,
        "progress": run.progress,
        "message": run.message,
        "asked_at": run.asked_at // 1000,
        "started_at": run.started_at // 1000,
        "ended_at": run.ended_at // 1000,
        "result": run.result,
        "files": [
            {**msgspec.structs.asdict(one), "href": f"/api/jobs/runs/{run.id}/files/{one.name}"}
            for one in run.files
        ],
        "error": error,
    }

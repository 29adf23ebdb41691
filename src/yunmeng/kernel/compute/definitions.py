"""The jobs that packages offer, read from their ``package.toml``; nothing is imported to list them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import isfinite

from yunmeng.kernel.base import (
    BadInput,
    JobInput,
    Name,
    NotFound,
    YunmengError,
    division,
    packages,
    parse_instant,
)


@dataclass(frozen=True, slots=True)
class JobDefinition:
    """A job: ``run`` is the ``module:function`` that does it, ``inputs`` is its form."""

    id: str
    package: str
    name: Name
    run: str
    inputs: tuple[JobInput, ...] = ()

    def check(self, given: Mapping[str, str]) -> dict[str, str]:
        """Returns the inputs with defaults filled in. Raises ``BadInput("job.input")``."""
        known = {row.name: row for row in self.inputs}
        for name in given:
            if name not in known:
                raise BadInput("job.input", job=self.id, name=name, reason=f"known: {', '.join(known)}")
        return {name: _checked(self.id, row, given.get(name, row.default)) for name, row in known.items()}


@cache
def job_definitions() -> tuple[JobDefinition, ...]:
    """Returns every job, ordered by id."""
    jobs = [
        JobDefinition(f"{package.id}.{job.id}", package.id, job.name, job.run, job.form)
        for package in packages()
        for job in package.jobs
    ]
    return tuple(sorted(jobs, key=lambda job: job.id))


def job_definition(job_id: str) -> JobDefinition:
    """Returns one job. Raises ``NotFound("job.unknown")``."""
    for job in job_definitions():
        if job.id == job_id:
            return job
    raise NotFound("job.unknown", job=job_id, known=", ".join(job.id for job in job_definitions()))


def _checked(job: str, row: JobInput, text: str) -> str:
    if not text:
        if row.required:
            raise BadInput("job.input", job=job, name=row.name, reason="missing")
        return text
    try:
        if row.kind == "number":
            _finite(text)
        elif row.kind == "division":
            division(text)
        elif row.kind == "instant":
            parse_instant(text)
    except (ValueError, YunmengError) as cause:
        raise BadInput("job.input", job=job, name=row.name, reason=text) from cause
    if row.choices and text not in row.choices:
        raise BadInput("job.input", job=job, name=row.name, reason=f"one of {', '.join(row.choices)}")
    return text


def _finite(text: str) -> None:
    if not isfinite(float(text)):
        raise ValueError(text)

"""The jobs that packages offer, and the check of their inputs."""

import pytest
from tests.nodes import refused

from yunmeng.kernel.base import JobInput, Name
from yunmeng.kernel.compute import JobDefinition, job_definition, job_definitions

NAME = Name("名", "name")
JOB = JobDefinition(
    "test.job",
    "test",
    NAME,
    "a:b",
    (
        JobInput("must", NAME, required=True),
        JobInput("number", NAME, "number", "3"),
        JobInput("where", NAME, "division"),
        JobInput("when", NAME, "instant"),
        JobInput("colour", NAME, choices=("red", "blue")),
    ),
)


def test_defaults_are_filled_in() -> None:
    assert JOB.check({"must": "x"}) == {"must": "x", "number": "3", "where": "", "when": "", "colour": ""}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "must"),
        ({"must": ""}, "must"),
        ({"must": "x", "number": "many"}, "number"),
        ({"must": "x", "number": "nan"}, "number"),
        ({"must": "x", "number": "inf"}, "number"),
        ({"must": "x", "where": "999999"}, "where"),
        ({"must": "x", "when": "2026-01-01T00:00:00"}, "when"),
        ({"must": "x", "when": "soon"}, "when"),
        ({"must": "x", "colour": "green"}, "colour"),
        ({"must": "x", "size": "1"}, "size"),
    ],
)
def test_a_wrong_input_is_refused_by_name(given: dict[str, str], name: str) -> None:
    with refused("job.input") as caught:
        JOB.check(given)
    assert caught.value.facts["name"] == name
    assert caught.value.facts["job"] == "test.job"


@pytest.mark.parametrize(
    "given",
    [{"number": "-1.5"}, {"where": "420100"}, {"when": "2026-01-01T00:00:00+08:00"}, {"colour": "red"}],
)
def test_a_right_input_is_taken_as_it_is(given: dict[str, str]) -> None:
    assert JOB.check({"must": "x", **given}).items() >= given.items()


def test_the_packages_jobs_are_found_by_id() -> None:
    assert "plan.report" in [job.id for job in job_definitions()]
    assert job_definition("plan.report").run == "yunmeng.plan.statistics:report"
    with refused("job.unknown") as caught:
        job_definition("plan.nothing")
    assert "plan.report" in str(caught.value.facts["known"])

"""Reporting 填报: a value over HTTP, to the page of the plan, the history and the statistical report."""

import csv
import io

import httpx
import pytest
from tests.nodes import Node, until

from yunmeng.kernel.model import SOURCE
from yunmeng.kernel.store import Point
from yunmeng.plan import indicator
from yunmeng.plan.statistics import as_csv, standings

pytestmark = pytest.mark.xdist_group("province")
SAID = {"value": 12.3, "observedAt": "2025-06-30T00:00:00+08:00", "source": "省通信管理局 2025 年上半年公报"}


def told(client: httpx.Client, id: str) -> dict:
    rows = client.get("/api/plan/indicators").raise_for_status().json()
    assert len(rows) == 99
    return next(row for row in rows if row["id"] == id)


def test_a_reported_value_reaches_the_page_and_the_report(
    province: Node, administrator: httpx.Client
) -> None:
    answer = administrator.post("/api/plan/indicators/I001/values", json=SAID)
    assert answer.status_code == 201, answer.text
    assert answer.json()["met"] is False
    assert answer.json()["progress"] == pytest.approx((12.3 - 3.1) / (13 - 3.1))

    row = told(administrator, "I001")
    assert (row["latest"], row["source"], row["met"]) == (12.3, SAID["source"], False)
    assert row["latest_at"].startswith("2025-06-29T16:00:00")
    assert row["progress"] == pytest.approx(answer.json()["progress"])
    assert row["quote"]

    later = {**SAID, "value": 13.4, "observedAt": "2025-12-31T00:00:00+08:00", "source": "2025 年公报"}
    assert administrator.post("/api/plan/indicators/I001/values", json=later).json()["met"] is True
    assert told(administrator, "I001")["latest"] == 13.4

    assert reported(report(administrator, {})) == ("13.4", "2025 年公报", "达标")
    # the history holds the earlier value, and a report of that time shows it
    until(
        lambda: (
            reported(report(administrator, {"until": "2025-07-31T00:00:00+08:00"}))
            == ("12.3", SAID["source"], "未达标")
        ),
        "the earlier value in a report of its time",
    )


def report(client: httpx.Client, inputs: dict[str, str]) -> list[dict[str, str]]:
    """Runs the job and reads its CSV."""
    started = client.post("/api/jobs/plan.report", json={"inputs": inputs})
    assert started.status_code == 202, started.text
    address = f"/api/jobs/runs/{started.json()['run']}"
    run = until(lambda: (run := client.get(address).json())["state"] in ("done", "failed") and run, "the run")
    assert run["state"] == "done", run
    file = client.get(f"{address}/files/{run['files'][0]['name']}")
    assert file.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(file.content.decode("utf-8-sig"))))
    assert len(rows) == 99
    return rows


def reported(rows: list[dict[str, str]]) -> tuple[str, str, str]:
    row = next(row for row in rows if row["编号"] == "I001")
    return row["最新值"], row["来源"], row["结论"]


@pytest.mark.parametrize(
    ("change", "status", "key"),
    [
        ({"value": "12"}, 400, "plan.value"),
        ({"value": True}, 400, "plan.value"),
        ({"value": None}, 400, "plan.value"),
        ({"source": "  "}, 400, "plan.source"),
        ({"observedAt": "2025-06-30T00:00:00"}, 400, "time.naive"),
        ({"observedAt": "yesterday"}, 400, "time.bad"),
        ({"observedAt": "2199-01-01T00:00:00Z"}, 400, "plan.future"),
    ],
)
def test_a_report_that_is_not_sound_is_refused_whole(
    administrator: httpx.Client, change: dict[str, object], status: int, key: str
) -> None:
    before = told(administrator, "I002")
    answer = administrator.post("/api/plan/indicators/I002/values", json={**SAID, **change})
    assert (answer.status_code, answer.json()["key"]) == (status, key)
    assert told(administrator, "I002") == before


def test_an_indicator_that_does_not_exist_is_not_found(administrator: httpx.Client) -> None:
    answer = administrator.post("/api/plan/indicators/I100/values", json=SAID)
    assert (answer.status_code, answer.json()["key"]) == (404, "plan.no-indicator")


def test_systems_and_coverage_are_served(administrator: httpx.Client) -> None:
    assert len(administrator.get("/api/plan/systems").json()) == 202
    served = administrator.get("/api/plan/coverage").json()
    assert (served["total"], len(served["rows"])) == (202, 202)
    assert served["implemented"] >= 1


def point(id: str, at: int, value: float | None, source: str = "公报") -> Point:
    body = {"value": value, SOURCE: [{"value": source}]} if value is not None else None
    return Point(
        entity=f"urn:ngsi-ld:Indicator:{id}", attribute="latest", dataset_id="", at=at, value=value, body=body
    )


def test_a_standing_takes_the_newest_value_not_after_the_time() -> None:
    points = [point("I001", 10, 5.0), point("I001", 30, 14.0, "later"), point("I001", 20, 12.0)]
    at = {until_us: standings(points, until_us)[0] for until_us in (5, 10, 25, 30)}
    assert [(one.value, one.verdict) for one in at.values()] == [
        (None, "未填报"),
        (5.0, "未达标"),
        (12.0, "未达标"),
        (14.0, "达标"),
    ]
    assert at[30].source == "later"


def test_the_csv_says_the_source_of_each_number() -> None:
    rows = standings([point("I001", 1_750_000_000_000_000, 5.5, "省统计局")], 1_800_000_000_000_000)
    data = as_csv(rows)
    assert data.startswith(b"\xef\xbb\xbf")
    first = next(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    assert (first["最新值"], first["来源"], first["原文"]) == ("5.5", "省统计局", indicator("I001").quote)

"""A flood at a real node: register and rain in, forecast, alert, event, response."""

import io
from typing import Any

import httpx
import numpy as np
import pytest
from tests.nodes import until

from yunmeng.converged.water.exchange import TimeSeries, read_waterml, write_waterml
from yunmeng.kernel.base import now_us

HOUR = 3_600_000_000
CURVE = '{"level":[80,100,104,110],"storage":[1,8,10,14],"discharge":[0,150,250,900],"spill":[0,0,0,300]}'
MODEL = '{"model":"GR4J","parameters":{"X1":120,"X2":0,"X3":40,"X4":1.2},"evaporation":2.0}'
UPPER, LOWER = "urn:ngsi-ld:Reservoir:PLAY1", "urn:ngsi-ld:Reservoir:PLAY2"
RAIN = "urn:ngsi-ld:HydrologicalStation:PLAYR"
KEYS = {"water.rain": "expected rain", "water.absent": "NONE", "water.no-forecast": "reservoirs were refused"}
RESERVOIRS = (
    "reservoirCode,name,division,longitude,latitude,scale,catchmentArea,floodLimitLevel,designFloodLevel,flowsInto\n"
    "PLAY1,上游试验水库,421125,115.42,30.62,medium,60,104,107,Reservoir:PLAY2\n"
    "PLAY2,下游试验水库,421125,115.30,30.50,large-2,200,105,108,\n"
)


def get(client: httpx.Client, path: str, **asked: str) -> Any:
    said = client.get(path, params=asked)
    assert said.status_code == 200, said.text
    return said.json()


def send(client: httpx.Client, path: str, media: str, data: bytes | str, **asked: str) -> Any:
    said = client.post(path, params=asked, content=data, headers={"Content-Type": media})
    assert said.status_code in (201, 202), said.text
    return said.json()


def series(id: str, attribute: str, values: list[float], unit: str, last: int) -> TimeSeries:
    times = last + (np.arange(len(values), dtype=np.int64) - len(values) + 1) * HOUR
    return TimeSeries(id, attribute, unit, times, np.array(values))


def run(client: httpx.Client, job: str, **inputs: str) -> dict[str, Any]:
    said = client.post(f"/api/jobs/{job}", json={"inputs": inputs})
    assert said.status_code == 202, said.text
    id = said.json()["run"]

    def ended() -> Any:
        found = get(client, f"/api/jobs/runs/{id}")
        return found if found["state"] in ("done", "failed", "cancelled") else None

    return until(ended, f"the end of {job}", 120.0)


def workbook(*lines: str) -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    book.active.title = "Reservoir"
    for line in lines:
        book.active.append(line.split(";"))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.fixture(scope="module")
def played(administrator: httpx.Client) -> httpx.Client:
    """The shared node with two reservoirs, a rain station and ten days of rain and inflow."""
    send(administrator, "/api/water/register", "text/csv", RESERVOIRS, type="Reservoir")
    more = workbook(
        "reservoirCode;curves;hydrologicalModel", f"PLAY1;{CURVE};{MODEL}", f"PLAY2;{CURVE};{MODEL}"
    )
    sheet = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    assert send(administrator, "/api/water/register", sheet, more) == {"created": 0, "updated": 2}
    station = "stationCode,name,division,flowsInto\nPLAYR,试验雨量站,421125,Reservoir:PLAY1\n"
    send(administrator, "/api/water/register", "text/csv", station, type="HydrologicalStation")
    last = now_us() // HOUR * HOUR
    rain = np.where(np.arange(240) % 60 < 6, 4.0, 0.0).tolist()
    told = [
        series(RAIN, "rainfall1h", rain, "MMT", last),
        series(UPPER, "inflow", [6.0] * 240, "MQS", last),
        series(UPPER, "waterLevel", [103.2] * 3, "MTR", last),
    ]
    said = send(administrator, "/api/water/series", "application/gml+xml", write_waterml(told))
    assert said == {"series": 3, "observations": 483}
    until(lambda: get(administrator, f"/api/entities/{UPPER}"), "the reservoir")

    def arrived() -> bool:
        data = administrator.get(f"/api/water/series/{RAIN}", params={"attribute": "rainfall1h"}).content
        return bool(read_waterml(data)) if b"OM_Observation" in data else False

    until(arrived, "the rain in the history")
    return administrator


def test_rain_becomes_a_forecast_an_alert_and_an_event(played: httpx.Client) -> None:
    inputs = {"rain": "180/12", "hours": "48", "members": "30", "warm_days": "9", "reservoir": UPPER}
    done = run(played, "water.forecast", **inputs)
    assert done["state"] == "done", done
    assert done["result"]["forecasts"] == 1
    forecast = played.get(
        "/ngsi-ld/v1/entities/urn:ngsi-ld:FloodForecast:PLAY1", params={"options": "keyValues"}
    )
    assert forecast.status_code == 200, forecast.text
    alert = until(
        lambda: get(played, "/api/alerts", rule="water.forecast_over_limit", state="active"), "the alert"
    )[0]
    assert alert["alertSource"] == "urn:ngsi-ld:FloodForecast:PLAY1"
    assert alert["alertValue"] > 80
    event = until(lambda: get(played, "/api/events", rule="water.forecast_over_limit"), "the event")[0]
    assert event["responseLevel"] == "III"
    assert event["place"] == "421100"


def test_a_dry_forecast_ends_the_alert(played: httpx.Client) -> None:
    run(played, "water.forecast", rain="180/12", hours="48", warm_days="9", reservoir=UPPER)
    until(lambda: get(played, "/api/alerts", rule="water.forecast_over_limit", state="active"), "the alert")
    assert (
        run(played, "water.forecast", rain="0", hours="24", warm_days="9", reservoir=UPPER)["state"] == "done"
    )
    until(lambda: not get(played, "/api/alerts", rule="water.forecast_over_limit", state="active"), "its end")


@pytest.mark.parametrize(
    ("inputs", "key"),
    [
        ({"rain": "a lot"}, "water.rain"),
        ({"rain": "-5"}, "water.rain"),
        ({"rain": "5", "reservoir": "urn:ngsi-ld:Reservoir:NONE"}, "water.absent"),
        ({"rain": "5", "reservoir": LOWER}, "water.no-forecast"),
        ({"rain": "5", "reservoir": UPPER, "warm_days": "20"}, "water.no-forecast"),
    ],
)
def test_a_forecast_that_cannot_be_made_says_why(
    played: httpx.Client, inputs: dict[str, str], key: str
) -> None:
    said = run(played, "water.forecast", **inputs)
    assert said["state"] == "failed"
    assert said["error"]["title"]
    assert said["error"]["detail"].count(KEYS[key]) == 1


def test_the_one_map_shows_reservoirs_rain_and_forecasts(played: httpx.Client) -> None:
    def shown(layer: str) -> dict[str, Any]:
        found = get(played, f"/api/layers/{layer}")["features"]["features"]
        return {each["properties"]["id"]: each["properties"] for each in found}

    assert (
        run(played, "water.forecast", rain="60/6", hours="24", warm_days="9", reservoir=UPPER)["state"]
        == "done"
    )
    until(lambda: shown("water-levels")[UPPER]["value"] is not None, "the level against the limit")
    assert shown("water-levels")[UPPER]["value"] < 0
    assert until(lambda: shown("water-forecasts"), "the forecast")
    page = get(played, f"/api/entities/{UPPER}/details")["detail"]
    assert page["gauge"]
    assert page["outlook"]
    assert page["neighbours"]


def test_who_is_upstream_is_told(played: httpx.Client) -> None:
    found = get(played, f"/api/water/rivers/{LOWER}")
    assert [each["id"] for each in found["upstream"]] == [RAIN, UPPER]
    assert get(played, f"/api/water/rivers/{UPPER}")["downstream"][0]["id"] == LOWER


def test_the_register_goes_out_as_it_came_in(played: httpx.Client) -> None:
    table = played.get("/api/water/register", params={"type": "Reservoir"}).content.decode("utf-8-sig")
    assert "PLAY1" in table
    assert played.get("/api/water/register", params={"format": "xlsx"}).content[:2] == b"PK"
    features = get(played, "/api/water/register", format="geojson")["features"]
    assert {"urn:ngsi-ld:Reservoir:PLAY1", RAIN} <= {each["id"] for each in features}
    refused = played.get("/api/water/register", params={"format": "shp"})
    assert refused.json()["key"] == "water.format"


def test_a_register_with_one_fault_changes_nothing(played: httpx.Client) -> None:
    bad = (
        RESERVOIRS.replace("PLAY2,下游", "PLAY3,下游").replace("large-2", "huge").replace(":PLAY2", ":PLAY3")
    )
    headers = {"Content-Type": "text/csv"}
    said = played.post(
        "/api/water/register", params={"type": "Reservoir"}, content=bad.encode(), headers=headers
    )
    assert (said.status_code, said.json()["key"]) == (400, "water.rows")
    assert played.get("/ngsi-ld/v1/entities/urn:ngsi-ld:Reservoir:PLAY3").status_code == 404
    circle = "reservoirCode,flowsInto\nPLAY4,Reservoir:PLAY5\nPLAY5,Reservoir:PLAY4\n"
    said = played.post("/api/water/register", params={"type": "Reservoir"}, content=circle, headers=headers)
    assert said.json()["key"] == "river.cycle"


def test_the_response_that_is_due_begins_as_an_event(played: httpx.Client) -> None:
    last = now_us()
    high = [series(LOWER, "waterLevel", [108.5], "MTR", last)]
    send(played, "/api/water/series", "application/gml+xml", write_waterml(high))
    due = until(lambda: (f := get(played, "/api/water/response"))["level"] and f, "the response")
    assert due["level"] == "II"
    assert any("design flood level" in reason for reason in due["reasons"])
    begun = played.post("/api/water/response")
    assert begun.status_code == 201, begun.text
    again = played.post("/api/water/response").json()
    assert again["event"] == begun.json()["event"]
    event = get(played, f"/api/events/{begun.json()['event']}")
    assert (event["responseLevel"], event["division"]) == ("II", "420000")
    with operator(played, "421100") as city:
        own = city.post("/api/water/response")
        assert own.status_code == 201, own.text
        assert (own.json()["level"], own.json()["division"]) == ("II", "421100")
        assert own.json()["event"] != event["id"]
        assert get(city, f"/api/events/{own.json()['event']}")["division"] == "421100"
    with operator(played, "420500") as elsewhere:
        assert get(elsewhere, "/api/water/response")["level"] is None
        assert get(elsewhere, "/api/water/response", division="421100")["level"] is None


def test_the_flood_is_played_to_the_dispatch_order(played: httpx.Client) -> None:
    more = [series(LOWER, "waterLevel", [103.0] * 2, "MTR", now_us() // HOUR * HOUR)]
    send(played, "/api/water/series", "application/gml+xml", write_waterml(more))
    table = "code,name,division,safeDischarge\nPLAYP,试验断面,421125,60\n"
    send(played, "/api/water/register", "text/csv", table, type="FloodControlPoint")
    link = (
        "reservoirCode,flowsInto,travelTime,gated,manager\n"
        "PLAY1,Reservoir:PLAY2,3,是,上游管理处\n"
        "PLAY2,FloodControlPoint:PLAYP,2,是,下游管理处\n"
    )
    send(played, "/api/water/register", "text/csv", link, type="Reservoir")
    inputs = {"rain": "150/12", "hours": "72", "warm_days": "9", "reservoir": UPPER, "members": "20"}
    assert run(played, "water.forecast", **inputs)["state"] == "done"
    done = run(played, "water.dispatch", division="421125", step_hours="3")
    assert done["state"] == "done", done
    result = done["result"]
    assert result["reservoirs"] == 2
    assert result["gap_percent"] <= 0.5
    assert result["peak_cut_percent"]["joint"] > result["peak_cut_percent"]["rules"], result
    page = {each["name"]: played.get(each["href"]).text for each in done["files"]}
    assert "上游试验水库" in page["plan.zh-CN.html"]
    assert page["plan.en.md"].startswith("# ")
    path = f"/api/water/plans/{result['plan']}/steps"
    early = played.post(path, json={"state": "issued"})
    assert early.json()["key"] == "water.plan-step"
    assert played.post(path, json={"state": "approved"}).status_code == 200
    issued = played.post(path, json={"state": "issued"})
    assert issued.json()["tasks"] == result["orders"] > 0
    tasks = [
        each for each in get(played, "/api/tasks", state="open") if each.get("partOfPlan") == result["plan"]
    ]
    assert len(tasks) == result["orders"]
    assert {each["assignee"] for each in tasks} == {"上游管理处", "下游管理处"}
    assert "m³/s" in tasks[0]["title"]


def operator(client: httpx.Client, division: str) -> httpx.Client:
    """An operator of one division, by a token."""
    asked = {"name": f"water-{division}", "kind": "service", "roles": ["operator"], "divisions": [division]}
    said = client.post("/api/tokens", json=asked)
    assert said.status_code == 201, said.text
    return httpx.Client(base_url=client.base_url, headers={"Authorization": f"Bearer {said.json()['token']}"})


@pytest.mark.parametrize(
    "table",
    [
        # a reservoir of another city; one that is there already and would be drawn over; one of nobody
        "reservoirCode,name,division\nPLAY6,甲,420506\nPLAY7,乙,421125\n",
        "reservoirCode,name,division\nPLAY6,甲,420506\nPLAY1,乙,420506\n",
        "reservoirCode,name,division\nPLAY6,甲,420506\nPLAY8,乙,\n",
    ],
)
def test_a_city_takes_in_its_own_register_or_nothing(played: httpx.Client, table: str) -> None:
    headers = {"Content-Type": "text/csv"}
    with operator(played, "420500") as city:
        said = city.post("/api/water/register", params={"type": "Reservoir"}, content=table, headers=headers)
        assert (said.status_code, said.json()["key"]) == (403, "water.rows"), said.text
        assert city.get("/ngsi-ld/v1/entities/urn:ngsi-ld:Reservoir:PLAY6").status_code == 404
        station = series(UPPER, "waterLevel", [1.0], "MTR", now_us())
        data, media = write_waterml([station]), {"Content-Type": "application/gml+xml"}
        assert city.post("/api/water/series", content=data, headers=media).json()["key"] == "water.absent"


def test_series_are_kept_in_the_unit_of_their_attribute(played: httpx.Client) -> None:
    at = now_us() // HOUR * HOUR - 40 * HOUR
    cm = write_waterml([series(LOWER, "waterLevel", [10350.0], "CMT", at)])
    send(played, "/api/water/series", "application/gml+xml", cm)
    asked = {"start": "2020-01-01T00:00:00Z"}

    def kept() -> list[float]:
        data = played.get(f"/api/water/series/{LOWER}", params=asked).content
        known = read_waterml(data) if b"OM_Observation" in data else []
        return [
            value for one in known for when, value in zip(one.times, one.values, strict=True) if when == at
        ]

    found = until(kept, "the level")
    assert found == [pytest.approx(103.5)]
    other = write_waterml([series(LOWER, "rainfall1h", [1.0], "MMT", at)])
    media = {"Content-Type": "application/gml+xml"}
    assert played.post("/api/water/series", content=other, headers=media).json()["key"] == "water.attribute"

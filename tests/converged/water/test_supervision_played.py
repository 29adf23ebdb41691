"""Water use, dams and the network supervised at a real node, by the package's jobs."""

import io
from datetime import UTC, datetime

import httpx
import msgspec
import numpy as np
import pytest
from openpyxl import Workbook
from tests.converged.water.test_flood_played import get, run, send
from tests.nodes import until

from yunmeng.converged.water.exchange import TimeSeries, read_waterml, write_waterml

CONTEXT = '<https://w3id.org/yunmeng/context.jsonld>; rel="http://www.w3.org/ns/json-ld#context"'
DAY = 86_400_000_000
HOUR = 3_600_000_000
# 2026-03-31 in Beijing, the ninetieth day of its year
LAST = int(datetime(2026, 3, 31, 15, tzinfo=UTC).timestamp()) * 1_000_000
UNTIL = "2026-03-31T23:00:00+08:00"
OVER, UNDER = "urn:ngsi-ld:WaterPermit:SUPA", "urn:ngsi-ld:WaterPermit:SUPB"
PERMITS = (
    "permitCode,holder,division,industry,waterSource,annualQuota,validFrom,validTo,permitState\n"
    "SUPA,甲厂,420106,C30,surface,10000,2024-01-01,2029-12-31,valid\n"
    "SUPB,乙厂,420106,D46,groundwater,90000,2024-01-01,2029-12-31,valid\n"
    "SUPC,丙厂,420106,D46,surface,90000,2020-01-01,2025-12-31,valid\n"
)
INTAKES = "intakeCode,division,permit\nSUPA1,420106,SUPA\nSUPB1,420106,SUPB\nSUPX1,420106,\n"
DAM, POINT = "urn:ngsi-ld:Reservoir:SUPD", "urn:ngsi-ld:DamPoint:SUPD-S1"


def counter(code: str, daily: float, days: int = 92) -> TimeSeries:
    """A water meter that grows by so many m³ a day, read every day at 23:00 Beijing time."""
    times = LAST + (np.arange(days, dtype=np.int64) - days + 1) * DAY
    return TimeSeries(
        f"urn:ngsi-ld:WaterIntake:{code}", "abstracted", "MTQ", times, 5000.0 + daily * np.arange(days)
    )


@pytest.fixture(scope="module")
def supervised(administrator: httpx.Client) -> httpx.Client:
    """The shared node with permits, intakes and three months of meters."""
    send(administrator, "/api/water/register", "text/csv", PERMITS, type="WaterPermit")
    send(administrator, "/api/water/register", "text/csv", INTAKES, type="WaterIntake")
    told = [counter("SUPA1", 120.0), counter("SUPB1", 100.0), counter("SUPX1", 5.0)]
    send(administrator, "/api/water/series", "application/gml+xml", write_waterml(told))
    settled(administrator, "urn:ngsi-ld:WaterIntake:SUPX1", "abstracted", 92)
    return administrator


def settled(client: httpx.Client, id: str, attribute: str, count: int) -> None:
    asked = {"attribute": attribute, "start": "2015-01-01T00:00:00Z", "end": "2030-01-01T00:00:00Z"}

    def there() -> bool:
        data = client.get(f"/api/water/series/{id}", params=asked).content
        return b"OM_Observation" in data and len(read_waterml(data)[0].times) == count

    until(there, f"{count} values of {attribute}")


def test_permits_are_weighed_and_the_one_who_takes_too_much_is_told(supervised: httpx.Client) -> None:
    # whoever writes past the register can leave a permit that is none: it stops no other
    broken = {"id": f"{OVER}-broken", "type": "WaterPermit", "permitCode": "SUPA", "annualQuota": 5}
    made = supervised.post("/ngsi-ld/v1/entities", json=broken, headers={"Link": CONTEXT})
    assert made.status_code == 201, made.text
    done = run(supervised, "water.permits", until=UNTIL, division="420100")
    assert done["state"] == "done", str(done)[-600:]
    assert list(done["result"]["unsound"]) == [broken["id"]]
    assert done["result"]["over"] == 1
    assert "urn:ngsi-ld:WaterIntake:SUPX1" in done["result"]["unpermitted"]
    pages = {each["name"]: supervised.get(each["href"]).content.decode("utf-8-sig") for each in done["files"]}
    assert "420106" in pages["use-by-division.csv"]
    (alert,) = until(
        lambda: get(supervised, "/api/alerts", rule="water.permit_used", state="active"), "the alert"
    )
    assert alert["alertSource"] == OVER
    assert alert["alertValue"] == pytest.approx(108.0)
    state = supervised.get(
        f"/ngsi-ld/v1/entities/{UNDER.replace('SUPB', 'SUPC')}", params={"options": "keyValues"}
    )
    assert "expired" in state.text
    # nobody metered it: its share is unknown, not zero
    assert "usedShare" not in state.text


def test_a_dam_that_departs_from_its_model_raises_an_alert(administrator: httpx.Client) -> None:
    send(
        administrator,
        "/api/water/register",
        "text/csv",
        "reservoirCode,division\nSUPD,420106\n",
        type="Reservoir",
    )
    table = "code,name,division,reservoir,pointKind\nSUPD-S1,坝顶一号,420106,SUPD,settlement\n"
    send(administrator, "/api/water/register", "text/csv", table, type="DamPoint")
    days = np.arange(700, dtype=np.int64)
    season = 2 * np.pi * days / 365.25
    dice = np.random.default_rng(8)
    levels = 100 + 3 * np.sin(season)
    moved = 0.5 * (levels - 100) + np.cos(season) + dice.normal(0, 0.1, 700)
    moved[-1] += 1.2
    told = [
        TimeSeries(DAM, "waterLevel", "MTR", LAST + (days - 699) * DAY, levels),
        TimeSeries(POINT, "displacement", "MMT", LAST + (days - 699) * DAY, moved),
    ]
    send(administrator, "/api/water/series", "application/gml+xml", write_waterml(told))
    settled(administrator, POINT, "displacement", 700)
    done = run(administrator, "water.dams", until="2026-04-01T00:00:00Z", years="3")
    assert done["result"]["alarms"] == [POINT], done
    (alert,) = until(
        lambda: get(administrator, "/api/alerts", rule="water.dam_anomaly", state="active"), "the alert"
    )
    assert alert["responseLevel"] == "II"
    assert "坝顶一号" in str(alert["headline"])
    silent = LAST + np.arange(1, 31, dtype=np.int64) * DAY
    gap = [TimeSeries(POINT, "displacement", "MMT", silent, np.full(30, np.nan))]
    send(administrator, "/api/water/series", "application/gml+xml", write_waterml(gap))
    settled(administrator, POINT, "displacement", 730)
    done = run(administrator, "water.dams", until="2026-05-02T00:00:00Z", years="3")
    assert (done["result"]["judged"], list(done["result"]["refused"])) == (0, [POINT]), done
    assert get(administrator, "/api/alerts", rule="water.dam_anomaly", state="active")


def test_the_network_is_checked_and_what_is_doubted_is_listed(administrator: httpx.Client) -> None:
    table = "stationCode,name,division\nSUPR,疑问雨量站,420106\n"
    send(administrator, "/api/water/register", "text/csv", table, type="HydrologicalStation")
    id = "urn:ngsi-ld:HydrologicalStation:SUPR"
    last = int(datetime.now(UTC).timestamp() // 3600) * HOUR * 1
    times = last + (np.arange(10, dtype=np.int64) - 9) * HOUR
    rain = np.array([0, 0, 5, -1, 3, 900, 2, 0, 0, np.nan])
    told = [TimeSeries(id, "rainfall1h", "MMT", times, rain)]
    send(administrator, "/api/water/series", "application/gml+xml", write_waterml(told))

    def there() -> bool:
        data = administrator.get(f"/api/water/series/{id}", params={"attribute": "rainfall1h"}).content
        return b"OM_Observation" in data and len(read_waterml(data)[0].times) == 10

    until(there, "the rain")
    clock = {"clockState": "shifted", "clockShift": {"value": 8, "unitCode": "HUR"}}
    said = administrator.patch(f"/ngsi-ld/v1/entities/{id}", json=clock, headers={"Link": CONTEXT})
    assert said.status_code == 204, said.text
    done = run(administrator, "water.check", hours="24", division="420106")
    assert done["state"] == "done", str(done)[-600:]
    (listed,) = [each for each in done["files"] if each["name"] == "doubted.csv"]
    lines = administrator.get(listed["href"]).content.decode("utf-8-sig").splitlines()
    (row,) = [line.split(",") for line in lines if "SUPR" in line]
    assert row[4:8] == ["10", "1", "2", "RANGE"]
    assert done["result"]["ahead"] == 0
    (listed,) = [each for each in done["files"] if each["name"] == "clocks.csv"]
    lines = administrator.get(listed["href"]).content.decode("utf-8-sig").splitlines()
    assert lines[1:] == [f"{id},疑问雨量站,420106,shifted,8"]
    assert done["result"]["clocks"] == 1


def test_a_ship_that_digs_where_nobody_may_is_reported(administrator: httpx.Client) -> None:
    ring = [[113.0, 29.9], [113.1, 29.9], [113.1, 30.0], [113.0, 30.0], [113.0, 29.9]]
    zone = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {
            "type": "SandZone",
            "code": "SUPZ",
            "name": "试验禁采区",
            "division": "421000",
            "zoneRule": "forbidden",
        },
    }
    collection = msgspec.json.encode({"type": "FeatureCollection", "features": [zone]})
    send(administrator, "/api/water/register", "application/geo+json", collection)
    dredger = "urn:ngsi-ld:Vessel:supdredger"
    body = {"id": dredger, "type": "Vessel", "division": "421000"}
    made = administrator.post("/ngsi-ld/v1/entities", json=body, headers={"Link": CONTEXT})
    assert made.status_code == 201, made.text
    now = int(datetime.now(UTC).timestamp() * 1e6)
    times = now - (np.arange(12, dtype=np.int64)[::-1] + 1) * 5 * 60_000_000
    still = {"longitude": 113.05, "latitude": 29.95, "speedOverGround": 0.2}
    told = [TimeSeries(dredger, name, "", times, np.full(12, value)) for name, value in still.items()]
    send(administrator, "/api/water/series", "application/gml+xml", write_waterml(told))
    settled(administrator, dredger, "speedOverGround", 12)
    done = run(administrator, "water.mining", hours="6")
    assert done["result"]["findings"] == 1, done
    (alert,) = until(lambda: get(administrator, "/api/alerts", rule="water.sand_mining"), "the alert")
    assert alert["alertValue"] == pytest.approx(55.0)
    assert "试验禁采区" in str(alert["headline"])


def test_flood_works_water_resources_and_drinking_water_stand_in_one_register(
    administrator: httpx.Client,
) -> None:
    sheets = {
        "堤防": ["code;name;division;dikeGrade;guaranteeLevel", "DBD1;试验大堤;421000;1;42.5"],
        "水文遥测站": ["站码;名称;division;stationKind;warningLevel", "DBS1;试验水文站;421000;flow;41.0"],
        "农村供水工程": ["code;name;division;dailyCapacity;people", "DBW1;试验水厂;421000;5000;32000"],
    }
    book = Workbook()
    book.remove(book.active)
    for title, lines in sheets.items():
        sheet = book.create_sheet(title)
        for line in lines:
            sheet.append(line.split(";"))
    out = io.BytesIO()
    book.save(out)
    media = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    assert send(administrator, "/api/water/register", media, out.getvalue())["created"] == 3
    features = get(administrator, "/api/water/register", format="geojson", division="421000")["features"]
    names = {each["properties"].get("name") for each in features}
    assert {"试验大堤", "试验水文站", "试验水厂"} <= names
    table = "code,name,longitude,latitude\nDBW1,改名水厂,112.2,30.3\n"
    said = send(administrator, "/api/water/register", "text/csv", table, type="DrinkingWaterWorks")
    assert said["renamed"] == [
        {"id": "urn:ngsi-ld:DrinkingWaterWorks:DBW1", "from": "试验水厂", "to": "改名水厂"}
    ]
    moved = table.replace("112.2", "112.3")
    assert (
        send(administrator, "/api/water/register", "text/csv", moved, type="DrinkingWaterWorks")["moved"][0][
            "km"
        ]
        > 9
    )


def test_a_gauge_that_stands_alone_is_listed(administrator: httpx.Client) -> None:
    places = [(110.0, 31.0, 2.0), (110.05, 31.0, 3.0), (110.0, 31.05, 2.5), (110.05, 31.05, 80.0)]
    lines = [f"ALONE{n},孤站{n},420500,{lon},{lat}" for n, (lon, lat, _) in enumerate(places)]
    table = "\n".join(["stationCode,name,division,longitude,latitude", *lines])
    send(administrator, "/api/water/register", "text/csv", table, type="HydrologicalStation")
    last = int(datetime.now(UTC).timestamp() // 3600) * HOUR
    ids = [f"urn:ngsi-ld:HydrologicalStation:ALONE{n}" for n in range(4)]
    told = [
        TimeSeries(id, "rainfall1h", "MMT", np.array([last]), np.array([rain]))
        for id, (*_, rain) in zip(ids, places, strict=True)
    ]
    send(administrator, "/api/water/series", "application/gml+xml", write_waterml(told))
    for id in ids:
        settled(administrator, id, "rainfall1h", 1)
    done = run(administrator, "water.check", hours="6", division="420500")
    assert done["state"] == "done", str(done)[-600:]
    (listed,) = [each for each in done["files"] if each["name"] == "doubted.csv"]
    text = administrator.get(listed["href"]).content.decode("utf-8-sig")
    assert [line.split(",")[7] for line in text.splitlines() if "ALONE" in line] == ["SPATIAL"]
    assert "ALONE3" in text

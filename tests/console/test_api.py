"""The API behind the pages, against a whole node in one process."""

import asyncio
from typing import Any

import msgspec
import pytest

from yunmeng.console.live import hub_of
from yunmeng.kernel.base import now_us

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def body(client: Any, path: str) -> dict[str, Any]:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def tile(answer: dict[str, Any], id: str) -> dict[str, Any]:
    return next(one for one in answer["tiles"] if one["id"] == id)


async def test_the_shell_names_node_divisions_and_views(town: Any) -> None:
    async with town.client("admin") as admin:
        shell = await body(admin, "/api/console")
        assert shell["node"]["division"] == "420000"
        assert sum(one["prefecture"] for one in shell["divisions"]) == 17
        assert sum(one["county"] for one in shell["divisions"]) == 103
        assert {one["id"] for one in shell["views"]["layers"]} >= {"divisions", "energy-power"}
        assert len((await body(admin, "/api/boundaries/counties"))["features"]) == 103


async def test_a_tile_is_the_sum_of_its_entities(town: Any) -> None:
    async with town.client("admin") as admin:
        found = tile(await body(admin, "/api/tiles"), "energy-power")
        rows = (await body(admin, "/api/tables/energy-meters?limit=200"))["rows"]
        count = (await body(admin, "/api/tables/energy-meters?limit=1"))["count"]
        for offset in range(200, count, 200):
            page = await body(admin, f"/api/tables/energy-meters?limit=200&offset={offset}")
            rows += page["rows"]
        assert found["value"] == pytest.approx(sum(row["cells"]["activePower"]["value"] for row in rows))
        assert found["entities"] == len(rows) == count
        assert found["symbol"] == "kW"
        assert found["synthetic"] is True
        assert found["stale"] is False
        assert abs(found["observed_at"] - now_us() // 1000) < 600_000


async def test_the_prefectures_add_up_to_the_province(town: Any) -> None:
    async with town.client("admin") as admin:
        units = [one["code"] for one in (await body(admin, "/api/console"))["divisions"] if one["prefecture"]]
        whole = tile(await body(admin, "/api/tiles"), "water-inflow")["value"]
        parts = [
            tile(await body(admin, f"/api/tiles?division={code}"), "water-inflow")["value"] for code in units
        ]
        assert sum(part or 0 for part in parts) == pytest.approx(whole)


async def test_a_county_level_prefecture_counts_once(town: Any) -> None:
    async with town.client("admin") as admin:
        values = (await body(admin, "/api/layers/energy-power"))["values"]
        counties = [one["code"] for one in (await body(admin, "/api/console"))["divisions"] if one["county"]]
        assert len(values) == 117
        assert sum(values[code]["entities"] for code in counties) == values["420000"]["entities"]


async def test_an_operator_of_wuhan_sees_wuhan_only(town: Any) -> None:
    async with town.client("wuhan") as wuhan, town.client("admin") as admin:
        shell = await body(wuhan, "/api/console")
        assert shell["node"]["division"] == "420100"
        mine = tile(await body(wuhan, "/api/tiles"), "energy-power")
        theirs = tile(await body(admin, "/api/tiles?division=420100"), "energy-power")
        assert mine["value"] == pytest.approx(theirs["value"])
        assert tile(await body(wuhan, "/api/tiles?division=420000"), "energy-power")["value"] == mine["value"]
        assert tile(await body(wuhan, "/api/tiles?division=420500"), "energy-power")["value"] is None
        rows = (await body(wuhan, "/api/tables/energy-meters?limit=200"))["rows"]
        assert {row["division"][:4] for row in rows} == {"4201"}
        outside = (await body(admin, "/api/tables/energy-meters?division=420500&limit=1"))["rows"][0]["id"]
        assert (await wuhan.get(f"/api/entities/{outside}")).status_code == 404
        history = await wuhan.get(f"/api/entities/{outside}/history?attribute=activePower")
        assert history.status_code == 404


async def test_a_chart_follows_division_and_range(town: Any) -> None:
    async with town.client("admin") as admin:
        line = await body(admin, "/api/charts/energy-power?division=420100")
        assert line["symbol"] == "kW"
        assert line["entities"] == 130
        assert len(line["points"]) >= 8
        times = [at for at, _ in line["points"]]
        assert times == sorted(times)
        early = await body(
            admin, "/api/charts/energy-power?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z"
        )
        assert early["points"] == []


async def test_a_table_sorts_searches_and_pages(town: Any) -> None:
    async with town.client("admin", "en") as admin:
        table = await body(admin, "/api/tables/water-reservoirs?sort=waterLevel&limit=50")
        levels = [row["cells"]["waterLevel"]["value"] for row in table["rows"]]
        assert levels == sorted(levels)
        down = await body(admin, "/api/tables/water-reservoirs?sort=-waterLevel&limit=1&offset=1")
        top = await body(admin, "/api/tables/water-reservoirs?sort=-waterLevel&limit=2")
        assert down["rows"][0]["id"] == top["rows"][1]["id"]
        assert top["columns"][3]["label"] == "Water level"
        found = await body(admin, "/api/tables/water-reservoirs?q=郧阳区&limit=50")
        assert 0 < found["count"] < table["count"]
        assert all("郧阳区" in row["cells"]["name"]["value"] for row in found["rows"])
        assert (await body(admin, "/api/tables/water-reservoirs?q=(.*)"))["count"] == 0


async def test_an_entity_says_label_unit_source_and_age(town: Any) -> None:
    async with town.client("admin") as admin:
        id = (await body(admin, "/api/tables/water-reservoirs?limit=1"))["rows"][0]["id"]
        entity = await body(admin, f"/api/entities/{id}")
        level = next(one for one in entity["attributes"] if one["attribute"] == "waterLevel")
        assert (level["label"], level["unit"], level["symbol"]) == ("库水位", "MTR", "m")
        assert level["gateway"]
        assert level["observed_at"] > 0
        assert entity["synthetic"] is True
        history = await body(admin, f"/api/entities/{id}/history?attribute=waterLevel")
        assert history["raw"] is True
        assert history["points"][-1] == [level["observed_at"], level["value"]]


@pytest.mark.parametrize(
    ("path", "status", "key"),
    [
        ("/api/tiles?division=999999", 400, "division.unknown"),
        ("/api/layers/nothing", 404, "console.view.unknown"),
        ("/api/charts/energy-power?from=2026-01-01T00:00:00", 400, "time.naive"),
        (
            "/api/charts/energy-power?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
            400,
            "console.parameter.bad",
        ),
        ("/api/tables/energy-meters?limit=9999", 400, "console.parameter.bad"),
        ("/api/tables/energy-meters?offset=-1", 400, "console.parameter.bad"),
        ("/api/nothing", 404, "http.404"),
        ("/api/boundaries/moon", 400, "console.parameter.bad"),
        ("/api/entities/urn:ngsi-ld:Reservoir:nobody", 404, "entity.absent"),
        ("/api/jobs/runs/nobody", 404, "job.no-run"),
    ],
)
async def test_bad_input_is_a_problem_with_a_way_out(town: Any, path: str, status: int, key: str) -> None:
    async with town.client("admin", "en") as admin:
        answer = await admin.get(path)
        assert answer.status_code == status, answer.text
        assert answer.json()["key"] == key
        assert answer.json()["detail"]
        assert answer.json()["remedy"]


async def test_nobody_sees_anything_without_signing_in(town: Any) -> None:
    async with town.client("admin") as client:
        await client.delete("/api/session")
        for path in ("console", "tiles", "layers/energy-power", "live", "jobs", "boundaries/province"):
            assert (await client.get(f"/api/{path}")).status_code in (401, 403), path


async def test_live_changes_stay_within_reach(town: Any) -> None:
    hub = hub_of(town.bus)
    async with town.client("wuhan") as wuhan, town.client("admin") as admin:
        seen = await asyncio.gather(
            _first_change(town, wuhan), _first_change(town, admin), _observe_soon(town)
        )
        entities = {entity for entity, *_ in seen[0]["values"]}
        assert entities
        assert all(":4201" in entity for entity in entities)
        assert any(":4205" in entity for entity, *_ in seen[1]["values"])
        assert "Reservoir" in seen[0]["types"]
        assert len(seen[1]["values"]) <= 500
    assert hub.position == 0


async def test_a_tab_that_comes_back_after_a_gap_is_told_to_read_again(town: Any) -> None:
    async with town.client("viewer") as viewer:
        assert (await _first_event(town, viewer)).startswith(b"event: hello")
        assert (await _first_event(town, viewer, b"7")).startswith(b"event: resync")


async def _observe_soon(town: Any) -> None:
    await asyncio.sleep(0.3)
    await town.observe(now_us())
    await town.flush()


async def _first_change(town: Any, client: Any) -> dict[str, Any]:
    chunk = await _first_event(town, client, wanted=b"event: change")
    return msgspec.json.decode(chunk.split(b"data: ", 1)[1])


async def _first_event(town: Any, client: Any, last_seen: bytes = b"", wanted: bytes = b"event:") -> bytes:
    """Reads the stream as ASGI gives it: httpx's own transport waits for the whole body."""
    sent: asyncio.Queue[bytes] = asyncio.Queue()
    cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/api/live",
        "raw_path": b"/api/live",
        "query_string": b"",
        "headers": [(b"cookie", cookie.encode()), (b"host", b"town.test"), (b"last-event-id", last_seen)],
        "client": ("127.0.0.1", 1),
        "server": ("town.test", 80),
    }

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            sent.put_nowait(message["body"])

    task = asyncio.create_task(town.app(scope, receive, send))
    try:
        async with asyncio.timeout(15):
            while True:
                chunk = await sent.get()
                if wanted in chunk:
                    return chunk.removeprefix(b"retry: 3000\n")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

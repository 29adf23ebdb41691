from typing import Any

import httpx
import pytest

LD = "application/ld+json"
CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.8.jsonld"
ENTITIES = "/ngsi-ld/v1/entities"
METER = "urn:ngsi-ld:Meter:1"


def meter(id_: str = METER, **more: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "type": "Meter",
        "power": {"type": "Property", "value": 3.5, "unitCode": "KWT", "observedAt": "2026-01-01T00:00:00Z"},
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [114.3, 30.6]}},
        **more,
    }


async def test_an_entity_is_created_read_and_deleted(admin: httpx.AsyncClient) -> None:
    made = await admin.post(ENTITIES, json=meter())
    assert made.status_code == 201, made.text
    assert made.headers["location"] == f"{ENTITIES}/{METER}"
    again = await admin.post(ENTITIES, json=meter())
    assert again.status_code == 409
    assert again.json()["type"] == "https://uri.etsi.org/ngsi-ld/errors/AlreadyExists"
    assert again.headers["content-type"] == "application/json"

    read = await admin.get(made.headers["location"])
    assert read.status_code == 200
    assert read.json() == meter()
    assert 'rel="http://www.w3.org/ns/json-ld#context"' in read.headers["link"]

    gone = await admin.delete(f"{ENTITIES}/{METER}")
    assert gone.status_code == 204
    assert gone.content == b""
    missing = await admin.get(f"{ENTITIES}/{METER}")
    assert missing.status_code == 404
    assert missing.json()["type"] == "https://uri.etsi.org/ngsi-ld/errors/ResourceNotFound"
    assert (await admin.delete(f"{ENTITIES}/{METER}")).status_code == 404


async def test_representations(admin: httpx.AsyncClient) -> None:
    await admin.post(ENTITIES, json=meter())
    address = f"{ENTITIES}/{METER}"

    async def read(query: str, **headers: str) -> httpx.Response:
        return await admin.get(f"{address}?{query}", headers=headers)

    assert (await read("options=keyValues")).json()["power"] == 3.5
    assert (await read("format=simplified")).json()["power"] == 3.5
    assert (await read("options=concise")).json()["power"] == {
        "value": 3.5,
        "unitCode": "KWT",
        "observedAt": "2026-01-01T00:00:00Z",
    }
    assert "modifiedAt" in (await read("options=sysAttrs")).json()
    assert set((await read("pick=id,power")).json()) == {"id", "power"}
    assert "power" not in (await read("omit=power")).json()
    assert set((await read("attrs=power")).json()) == {"id", "type", "power"}
    assert (await read("attrs=nothing")).status_code == 404
    assert (await read("options=loud")).status_code == 400
    feature = await read("", accept="application/geo+json")
    assert feature.headers["content-type"] == "application/geo+json"
    assert feature.json()["geometry"] == {"type": "Point", "coordinates": [114.3, 30.6]}
    linked = await read("", accept=LD)
    assert "@context" in linked.json()
    assert "link" not in linked.headers
    assert (await read("", accept="text/html")).status_code == 406


async def test_linked_data_needs_its_context_in_the_body(admin: httpx.AsyncClient) -> None:
    link = f'<{CORE}>; rel="http://www.w3.org/ns/json-ld#context"; type="{LD}"'
    plain = meter()
    with_context = {**plain, "@context": CORE}

    async def send(body: Any, **headers: str) -> httpx.Response:
        return await admin.post(ENTITIES, json=body, headers=headers)

    for body, headers, status in (
        (plain, {"content-type": LD}, 400),
        (with_context, {"content-type": "application/json"}, 400),
        (with_context, {"content-type": LD, "link": link}, 400),
        (plain, {"content-type": "text/plain"}, 415),
        (plain, {"content-type": "application/json", "link": link}, 201),
    ):
        assert (await send(body, **headers)).status_code == status, headers
    other = {**with_context, "id": "urn:ngsi-ld:Meter:2"}
    assert (await send(other, **{"content-type": LD})).status_code == 201


async def test_merge_replace_append_update_and_delete_of_attributes(admin: httpx.AsyncClient) -> None:
    await admin.post(ENTITIES, json=meter())
    address = f"{ENTITIES}/{METER}"

    async def now() -> dict[str, Any]:
        return (await admin.get(f"{address}?options=keyValues")).json()

    assert (await admin.patch(address, json={"power": {"value": 4}})).status_code == 204
    assert (await now())["power"] == 4
    merged = {"power": "urn:ngsi-ld:null", "name": {"type": "Property", "value": "east"}}
    kind = {"content-type": "application/merge-patch+json"}
    assert (await admin.patch(address, json=merged, headers=kind)).status_code == 204
    assert "power" not in await now()

    added = await admin.post(f"{address}/attrs", json={"state": {"type": "Property", "value": "on"}})
    assert added.status_code == 204
    kept = await admin.post(
        f"{address}/attrs?options=noOverwrite",
        json={"state": {"value": "off"}, "phase": {"value": 2}},
    )
    assert kept.status_code == 207
    assert kept.json()["updated"] == ["https://uri.etsi.org/ngsi-ld/default-context/phase"]
    assert kept.json()["notUpdated"][0]["attributeName"].endswith("/state")
    assert (await now())["state"] == "on"

    changed = await admin.patch(f"{address}/attrs", json={"state": {"value": "off"}, "fresh": {"value": 1}})
    assert changed.status_code == 204
    assert ((await now())["state"], (await now())["fresh"]) == ("off", 1)
    unheard = {"unheard": {"value": "urn:ngsi-ld:null"}}
    dropped = await admin.patch(f"{address}/attrs", json=unheard)
    assert dropped.status_code == 207
    assert dropped.json()["notUpdated"][0]["attributeName"].endswith("/unheard")

    assert (await admin.patch(f"{address}/attrs/state", json={"value": "half"})).status_code == 204
    assert (await now())["state"] == "half"
    whole = {"type": "Property", "value": 1, "unitCode": "KWT"}
    assert (await admin.put(f"{address}/attrs/state", json=whole)).status_code == 204
    assert (await admin.get(address)).json()["state"] == whole
    assert (await admin.delete(f"{address}/attrs/state")).status_code == 204
    assert (await admin.delete(f"{address}/attrs/state")).status_code == 404
    assert "state" not in await now()

    new = {"id": METER, "type": "Meter", "only": {"type": "Property", "value": True}}
    assert (await admin.put(address, json=new)).status_code == 204
    assert await now() == {"id": METER, "type": "Meter", "only": True}
    assert (await admin.put(address, json={**new, "id": "urn:ngsi-ld:Meter:9"})).status_code == 400
    assert (
        await admin.put(f"{ENTITIES}/urn:ngsi-ld:Meter:9", json={**new, "id": "urn:ngsi-ld:Meter:9"})
    ).status_code == 404


async def test_attribute_names_may_be_whole_uris(admin: httpx.AsyncClient) -> None:
    await admin.post(ENTITIES, json=meter())
    uri = "https%3A%2F%2Furi.etsi.org%2Fngsi-ld%2Fdefault-context%2Fpower"
    assert (await admin.patch(f"{ENTITIES}/{METER}/attrs/{uri}", json={"value": 9})).status_code == 204
    assert (await admin.get(f"{ENTITIES}/{METER}?options=keyValues")).json()["power"] == 9


async def test_a_trailing_slash_and_head_and_options(admin: httpx.AsyncClient) -> None:
    await admin.post(f"{ENTITIES}/", json=meter())
    whole = await admin.get(f"{ENTITIES}/{METER}/")
    head = await admin.head(f"{ENTITIES}/{METER}")
    assert whole.status_code == head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == whole.headers["content-length"]
    asked = await admin.options(f"{ENTITIES}/{METER}")
    assert asked.status_code == 204
    assert asked.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"
    wrong = await admin.post(f"{ENTITIES}/{METER}", json={})
    assert wrong.status_code == 405
    assert wrong.headers["allow"] == asked.headers["allow"]
    assert (await admin.get("/nowhere")).status_code == 404


@pytest.mark.parametrize(
    ("wish", "status", "kind"),
    [
        ("ngsi-ld=1.5", 203, "Property"),
        ("ngsi-ld=1.9", 200, "VocabProperty"),
        ("other=1.5", 200, "VocabProperty"),
    ],
)
async def test_readers_of_earlier_versions(
    admin: httpx.AsyncClient, wish: str, status: int, kind: str
) -> None:
    """Table 4.3.6.8-1: what a version did not know becomes a Property; what a value holds stays."""
    body = {
        "id": "urn:ngsi-ld:Shop:1",
        "type": "Shop",
        "category": {"type": "VocabProperty", "vocab": "food"},
        "plain": {
            "type": "Property",
            "value": {"vocab": 1},
            "source": {"type": "VocabProperty", "vocab": "x"},
        },
    }
    assert (await admin.post(ENTITIES, json=body)).status_code == 201
    for address in (f"{ENTITIES}/urn:ngsi-ld:Shop:1", f"{ENTITIES}?type=Shop"):
        answer = await admin.get(address, headers={"Prefer": wish})
        shown = answer.json()[0] if "?" in address else answer.json()
        assert answer.status_code == status
        assert answer.headers.get("preference-applied") == (wish if wish.startswith("ngsi") else None)
        assert shown["category"]["type"] == shown["plain"]["source"]["type"] == kind
        assert shown["category"]["value" if status == 203 else "vocab"] == "food"
        assert shown["plain"]["value"] == {"vocab": 1}
        concise = await admin.get(
            address + ("&" if "?" in address else "?") + "options=concise", headers={"Prefer": wish}
        )
        assert concise.status_code == status

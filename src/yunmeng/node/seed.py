"""What a node holds from its first start: administrator, divisions, indicators; the demo's users."""

from collections.abc import Callable, Iterable

import msgspec

from yunmeng.kernel.base import Broken, Division, Settings, division, divisions, within
from yunmeng.kernel.keeper import WRITE, WriteReply, WriteRequest
from yunmeng.kernel.link import Bus
from yunmeng.kernel.model import ContextLibrary, Operation, Upsert, expand_entity
from yunmeng.kernel.trust import Reach
from yunmeng.node.parts import SERVICE, Parts, connected, type_library

_PACK = 250


async def seed(settings: Settings, *, demo: bool, progress: Callable[[str], None]) -> str | None:
    """Brings the node's own entities up to date; returns the one-time password of a first start."""
    async with connected(settings) as parts:
        progress("seed")
        await upsert(parts.bus, await _documents(parts))
        accounts = parts.accounts()
        if demo:
            from yunmeng.node.demo import make_users

            await make_users(accounts)
            return None
        return await accounts.first_start()


async def _documents(parts: Parts) -> list[Operation]:
    from yunmeng.plan import indicator_entities

    home = parts.settings.node.division
    here = [d for d in divisions() if within(d.code, home)]
    bodies = [*(_division_entity(d) for d in here), *indicator_entities(home)]
    return await upserts(bodies)


async def upserts(bodies: Iterable[dict[str, object]]) -> list[Operation]:
    """Expands NGSI-LD bodies with the node's own terms into upserts that keep what others added."""
    context = await ContextLibrary({}).resolve(type_library().context())
    return [Upsert(expand_entity(body, context), "update") for body in bodies]


async def upsert(bus: Bus, operations: list[Operation]) -> None:
    """Asks the keeper to carry the operations out. Raises ``Broken("node.seed-refused")``."""
    for start in range(0, len(operations), _PACK):
        request = WriteRequest(Reach(), tuple(operations[start : start + _PACK]))
        answer = await bus.request(WRITE, msgspec.msgpack.encode(request), SERVICE, timeout_s=60)
        for outcome in msgspec.msgpack.decode(answer, type=WriteReply).outcomes:
            if outcome.done == "refused":
                raise Broken("node.seed-refused", id=outcome.id, reason=outcome.error)


def _division_entity(place: Division) -> dict[str, object]:
    parent = (
        {}
        if place.code == "420000"
        else {"parent": {"type": "Relationship", "object": division_id(place.parent)}}
    )
    return {
        "id": division_id(place.code),
        "type": "AdministrativeArea",
        "division": place.code,
        "name": place.name_zh,
        "nameEn": place.name_en,
        "level": place.level,
        "areaKm2": {"type": "Property", "value": place.area_km2, "unitCode": "KMK"},
        "location": {
            "type": "GeoProperty",
            "value": {"type": "Point", "coordinates": [place.lon, place.lat]},
        },
        **parent,
    }


def division_id(code: str) -> str:
    """Returns the id of a division's entity."""
    return f"urn:ngsi-ld:AdministrativeArea:{division(code).code if code != '100000' else code}"

"""The numbers of unified codes: each is given once, also when several people register at once."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from yunmeng.information.iot.code import read_code
from yunmeng.information.iot.devices import NewDevice, with_codes
from yunmeng.information.iot.kinds import kind
from yunmeng.kernel.base import Conflict
from yunmeng.kernel.model import (
    Context,
    Create,
    Document,
    Operation,
    compact_entity,
    expand_entity,
    parse_types,
)
from yunmeng.kernel.serve import Call, write
from yunmeng.kernel.store import EntityQuery

_PAGE = 1000
_EXISTS = 409


async def numbered(call: Call, context: Context, devices: Sequence[NewDevice]) -> list[NewDevice]:
    """Gives codes, and reserves their numbers so that nobody gives them twice."""
    keys = {(device.division, kind(device.kind).class_) for device in devices}
    while True:
        taken = {key: await _last_number(call, context, *key) for key in keys}
        coded = with_codes(devices, taken)
        outcomes = await write(call, _reservations(context, coded, taken))
        refused = [outcome for outcome in outcomes if outcome.done == "refused"]
        if not refused:
            return coded
        if refused[0].status != _EXISTS:
            raise Conflict("iot.known", id=refused[0].id)


def _reservations(
    context: Context, coded: Sequence[NewDevice], taken: Mapping[tuple[str, str], int]
) -> list[Operation]:
    highest = dict(taken)
    for device in coded:
        place, class_, number = read_code(device.code)
        highest[place, class_] = max(highest[place, class_], number)
    # two who reserve at once choose the same id, and the keeper lets one of them have it
    bodies = [
        {
            "id": f"urn:ngsi-ld:DeviceCodeRange:{place}:{class_}:{taken[place, class_] + 1}",
            "type": "DeviceCodeRange",
            "division": place,
            "deviceClass": class_,
            "lastNumber": last,
        }
        for (place, class_), last in highest.items()
        if last > taken[place, class_]
    ]
    return [Create(expand_entity(body, context)) for body in bodies]


async def _last_number(call: Call, context: Context, place: str, class_: str) -> int:
    pattern = f"^urn:ngsi-ld:DeviceCodeRange:{place}:{class_}:"
    types = parse_types("DeviceCodeRange", context)
    last, after = 0, ""
    while True:
        query = EntityQuery(call.reach, types=types, id_pattern=pattern, limit=_PAGE, after=after)
        page = await call.services.state.query(query)
        ranges: list[dict[str, Any]] = [
            compact_entity(msgspec.json.decode(body, type=Document), context, "simplified")
            for body in page.documents
        ]
        last = max([last, *(int(each["lastNumber"]) for each in ranges)])
        if len(ranges) < _PAGE:
            return last
        after = ranges[-1]["id"]

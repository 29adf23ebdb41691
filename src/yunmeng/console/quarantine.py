"""The quarantine for the pages: what was set aside and why, by gateway; sent in again, or dropped."""

from base64 import b64decode
from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from yunmeng.console.asked import asked_number
from yunmeng.kernel.base import (
    Forbidden,
    NotFound,
    Settings,
    YunmengError,
    division_prefix,
    instant_us,
    problem,
)
from yunmeng.kernel.keeper import QUARANTINE, Quarantined, quarantine_loss
from yunmeng.kernel.sense import held_of, is_frame, send_again
from yunmeng.kernel.serve import Call, as_array, as_object, json_reply, keep_records, read_json
from yunmeng.kernel.store import Record
from yunmeng.kernel.trust import Principal, Reach

_SERVICE = Principal("urn:yunmeng:service:console", kind="service", roles=("service",))
_GLIMPSE, _MOST_SHOWN = 48, 64 << 10
_MOST = 500


async def quarantine(call: Call) -> Response:
    """Answers with what was set aside, newest first, and how much by gateway (``gateway=``, ``limit=``).

    ``dropped`` is how much had to make room, of the whole node and ever.
    """
    records = await _records(call)
    held = sorted(((each, held_of(each)) for each in records), key=lambda pair: pair[1].at, reverse=True)
    wanted = call.request.query_params.get("gateway", "")
    chosen = [(each, of) for each, of in held if not wanted or of.gateway == wanted]
    limit, offset = asked_number(call, "limit", 20, _MOST), asked_number(call, "offset", 0, 10**6)
    rows = [_row(call, each.id, of) for each, of in chosen[offset : offset + limit]]
    by = _by_gateway([of for _, of in held])
    dropped = (await quarantine_loss(call.services.state)).count
    return json_reply({"count": len(chosen), "dropped": dropped, "gateways": by, "rows": rows})


async def one(call: Call) -> Response:
    """Answers with one, its reason in full and its bytes as hex and as text."""
    (record,) = _find(await _records(call), [call.request.path_params["id"]])
    held = held_of(record)
    raw = b64decode(held.raw)
    return json_reply(
        {
            **_row(call, record.id, held),
            "subject": held.subject,
            "facts": held.reason.facts,
            "size": len(raw),
            "hex": raw[:_MOST_SHOWN].hex(),
            "text": readable(raw[:_MOST_SHOWN]),
        }
    )


async def replay(call: Call) -> Response:
    """Sends set-aside input in once more: ``{"ids": […]}``; what is taken leaves the list."""
    taken: list[str] = []
    refused: list[dict[str, str]] = []
    for record in await _asked(call):
        try:
            reasons = await send_again(call.services.bus, held_of(record), _SERVICE)
        except YunmengError as error:
            # the gateway does not run: the others may still be taken
            reasons = (problem(error, call.language).detail,)
        if reasons:
            refused.append({"id": record.id, "reason": reasons[0]})
        else:
            taken.append(record.id)
            await _drop(call, [record])
    return json_reply({"taken": taken, "refused": refused})


async def drop(call: Call) -> Response:
    """Drops set-aside input for good: ``{"ids": […]}``."""
    records = await _asked(call)
    await _drop(call, records)
    return json_reply({"dropped": [record.id for record in records]})


def sees_node(reach: Reach, settings: Settings) -> bool:
    """Tells whether a reach holds the whole node."""
    prefixes = reach.prefixes
    return prefixes is None or division_prefix(settings.node.division).startswith(prefixes)


def readable(raw: bytes) -> str:
    """Returns bytes as text where they are some, else with a dot for what cannot be read."""
    for encoding in ("utf-8", "gb18030"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if sum(letter.isprintable() or letter in "\r\n\t" for letter in text) >= 0.9 * len(text):
            return text
    return "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in raw)


async def _asked(call: Call) -> list[Record]:
    body = as_object(await read_json(call.request), "body")
    return _find(await _records(call), [str(id) for id in as_array(body.get("ids"), "ids")])


def _find(records: Sequence[Record], ids: list[str]) -> list[Record]:
    known = {record.id: record for record in records}
    for id in ids:
        if id not in known:
            raise NotFound("quarantine.absent", id=id)
    return [known[id] for id in ids]


async def _records(call: Call) -> Sequence[Record]:
    """Returns what is set aside. A frame that cannot be read says no division, so a part sees none of them.

    Raises:
        Forbidden: ``quarantine.reach``.
    """
    if not sees_node(call.reach, call.services.settings):
        raise Forbidden("quarantine.reach")
    return await call.services.state.records(QUARANTINE, call.tenant)


async def _drop(call: Call, records: Sequence[Record]) -> None:
    drops = [(QUARANTINE, record.tenant, record.id) for record in records]
    await keep_records(call.services.bus, _SERVICE, (), drops)


def _row(call: Call, id: str, held: Quarantined) -> dict[str, Any]:
    said = problem(YunmengError(held.reason.key, **held.reason.facts), call.language)
    raw = b64decode(held.raw)
    return {
        "id": id,
        "at": instant_us(held.at) // 1000,
        "gateway": held.gateway,
        "peer": held.peer,
        "rows": held.rows,
        "frame": is_frame(held),
        "size": len(raw),
        "glimpse": raw[:_GLIMPSE].hex(),
        "reason": {"key": held.reason.key, "title": said.title, "detail": said.detail, "remedy": said.remedy},
    }


def _by_gateway(held: Sequence[Quarantined]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for each in held:  # newest first
        row = found.setdefault(
            each.gateway, {"gateway": each.gateway, "count": 0, "newest": instant_us(each.at) // 1000}
        )
        row["count"] += 1
    return sorted(found.values(), key=lambda row: -row["count"])

"""Snapshots over HTTP (ETSI GS CIM 009 §5.16, §6.36 to §6.38)."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from yunmeng.kernel.base import BadInput, Conflict, check_urn, now_us, seconds_of
from yunmeng.kernel.model import matches, parse_q
from yunmeng.kernel.serve.body import as_object
from yunmeng.kernel.serve.grades import paths_of
from yunmeng.kernel.serve.heading import parameters_of
from yunmeng.kernel.serve.ngsild.negotiation import accepted, answer, read_payload, request_context
from yunmeng.kernel.serve.ngsild.snapshot_evolutions import read_wanted_evolutions
from yunmeng.kernel.serve.ngsild.snapshot_filling import copy, fill, read_wanted
from yunmeng.kernel.serve.ngsild.snapshot_telling import read_receiver
from yunmeng.kernel.serve.ngsild.snapshots import Shelf, Snapshot
from yunmeng.kernel.serve.replies import Reply, empty_reply
from yunmeng.kernel.serve.routes import Call

_QUERIES_MOST = 10
_USUAL_LIFETIME = "PT1H"
_LONGEST_S = 7 * 86_400
_PRIORITIES = range(1, 11)
_CHANGEABLE = frozenset(("type", "snapshotPriority", "snapshotLifetime", "endpoint", "receiverInfo"))
_CLONED = _CHANGEABLE | {"id"}
_CREATABLE = _CLONED | {"snapshotQueries", "snapshotTemporalQueries"}
_PLAIN = frozenset(("id", "type", "createdAt", "modifiedAt"))
_TOLD = frozenset(
    (
        *("snapshotStatus", "snapshotQueriesDetails", "snapshotTemporalQueriesDetails"),
        *("createdAt", "modifiedAt", "lastUsedAt", "expiresAt"),
    )
)


class _Begun(Reply):
    """Answers that the snapshot is begun, and then does the work."""

    def __init__(self, held: Snapshot, work: Callable[[], Awaitable[None]]) -> None:
        super().__init__(b"", 201, headers={"Location": held.location})
        self._work = work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the answer and fills the snapshot."""
        await super().__call__(scope, receive, send)
        await self._work()


async def create(call: Call) -> Response:
    """Makes a snapshot of what queries find (§5.16.1); it is filled after the answer."""
    payload = await read_payload(call)
    body = _members(payload.value, _CREATABLE)
    queries, temporal = _queries(body, "snapshotQueries"), _queries(body, "snapshotTemporalQueries")
    if not queries and not temporal:
        raise BadInput("snapshot.queries", most=_QUERIES_MOST)
    wanted = [read_wanted(call, query, payload.context) for query in queries]
    evolutions = [read_wanted_evolutions(call, query, payload.context) for query in temporal]
    shelf = Shelf.of(call)
    held = await shelf.begin(payload.context.member, _id(body))
    held.queries, held.temporal_queries = queries, temporal
    _set(held, body)
    held = await shelf.claim(held)
    return _Begun(held, lambda: fill(call, held, wanted, evolutions))


async def clone(call: Call) -> Response:
    """Makes a snapshot of what another one has (§5.16.2)."""
    original = await _asked(call)
    body = _members((await read_payload(call)).value, _CLONED)
    if original.status == "preparing":
        raise Conflict("snapshot.preparing", id=original.id)
    shelf = Shelf.of(call)
    held = await shelf.begin(original.context, _id(body))
    held.queries, held.temporal_queries = original.queries, original.temporal_queries
    _set(held, {"snapshotPriority": original.priority, "snapshotLifetime": original.lifetime, **body})
    held = await shelf.claim(held)
    return _Begun(held, lambda: copy(call, held, original))


async def retrieve(call: Call) -> Response:
    """Retrieves the status of a snapshot (§5.16.3)."""
    return await _answered(call, await _asked(call))


async def update(call: Call) -> Response:
    """Changes the priority and lifetime of a snapshot, and who is told of it (§5.16.4)."""
    held = await _asked(call)
    body = _members((await read_payload(call)).value, _CHANGEABLE)

    def edit(one: Snapshot) -> None:
        _set(one, body)
        one.modified_at = now_us()

    return await _answered(call, await Shelf.of(call).change(held, edit))


async def delete(call: Call) -> Response:
    """Deletes a snapshot (§5.16.5)."""
    await Shelf.of(call).remove((await _asked(call),))
    return empty_reply()


async def purge(call: Call) -> Response:
    """Deletes the snapshots whose own members fulfil ``q`` (§5.16.7)."""
    text = parameters_of(call.request).get("q")
    if not text:
        raise BadInput("snapshot.purge")
    core = call.services.contexts.core
    condition = parse_q(text, core)
    known = {*_PLAIN, *map(core.expand, (_CREATABLE | _TOLD) - _PLAIN)}
    if not known >= set(paths_of(condition)):
        raise BadInput("snapshot.purge")
    shelf = Shelf.of(call)
    held = await shelf.load_all()
    await shelf.remove([one for one in held if matches(_as_entity(one.shown(), core.expand), condition)])
    return empty_reply()


def _as_entity(shown: Mapping[str, Any], expand: Callable[[str], str]) -> dict[str, Any]:
    """Returns the members of a snapshot as attributes, which ``q`` can be asked of."""
    plain = {name: value for name, value in shown.items() if name in _PLAIN}
    rest = {name: value for name, value in shown.items() if name not in _PLAIN}
    return plain | {expand(name): [{"type": "Property", "value": value}] for name, value in rest.items()}


async def _asked(call: Call) -> Snapshot:
    return await Shelf.of(call).load(check_urn(call.request.path_params["id"]))


async def _answered(call: Call, held: Snapshot) -> Response:
    return answer(held.shown(), await request_context(call), accepted(call.request))


def _members(value: object, known: frozenset[str]) -> dict[str, object]:
    """Returns a Snapshot that has only members that may be given."""
    body = as_object(value, "snapshot")
    if body.get("type", "Snapshot") != "Snapshot":
        raise BadInput("snapshot.type")
    given = {name: member for name, member in body.items() if name not in _TOLD}
    if found := sorted(given.keys() - known):
        raise BadInput("snapshot.read-only", names=found)
    return given


def _id(body: Mapping[str, object]) -> str:
    return check_urn(str(body["id"])) if "id" in body else ""


def _queries(body: Mapping[str, object], name: str) -> list[dict[str, Any]]:
    if name not in body:
        return []
    value = body[name]
    if not isinstance(value, list) or not 0 < len(cast("list[object]", value)) <= _QUERIES_MOST:
        raise BadInput("snapshot.queries", most=_QUERIES_MOST)
    return [dict(as_object(one, name)) for one in cast("list[object]", value)]


def _set(held: Snapshot, body: Mapping[str, object]) -> None:
    """Takes over the priority, the lifetime, which counts from the creation, and who is to be told."""
    priority = body.get("snapshotPriority", held.priority)
    if isinstance(priority, bool) or not isinstance(priority, int) or priority not in _PRIORITIES:
        raise BadInput("snapshot.priority", low=_PRIORITIES[0], high=_PRIORITIES[-1])
    lifetime = body.get("snapshotLifetime", held.lifetime or _USUAL_LIFETIME)
    seconds = seconds_of(lifetime) if isinstance(lifetime, str) else None
    if seconds is None:
        raise BadInput("query.duration", name="snapshotLifetime", value=lifetime)
    held.priority, held.lifetime = priority, str(lifetime)
    held.expires_at = held.created_at + min(seconds, _LONGEST_S) * 1_000_000
    endpoint, info = body.get("endpoint", held.endpoint), body.get("receiverInfo", held.receiver_info)
    held.endpoint, held.receiver_info = read_receiver(endpoint, info)

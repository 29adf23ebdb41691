"""How a snapshot is filled: from queries, or from another one (ETSI GS CIM 009 §5.16.1, §5.16.2)."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from yunmeng.kernel.base import NotFound, YunmengError, now_us
from yunmeng.kernel.model import Context, Document
from yunmeng.kernel.serve.keeping import keep_copies
from yunmeng.kernel.serve.ngsild.parameters import Page
from yunmeng.kernel.serve.ngsild.projection import MEMBERS
from yunmeng.kernel.serve.ngsild.querying import check_width, linked, read_body, read_query
from yunmeng.kernel.serve.ngsild.representation import View, decode_document, living, read_view
from yunmeng.kernel.serve.ngsild.snapshot_evolutions import (
    Gathered,
    WantedEvolutions,
    copy_evolutions,
    gather_evolutions,
    store_evolutions,
)
from yunmeng.kernel.serve.ngsild.snapshots import ENTITIES_MOST, Shelf, Snapshot
from yunmeng.kernel.serve.refusals import TooMany, problem_document
from yunmeng.kernel.serve.replies import JSON
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.store import EntityQuery
from yunmeng.kernel.trust import Reach

_PUTS = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """One query of a snapshot, read: what to look for and what of it to keep."""

    query: EntityQuery
    view: View

    def part(self, document: Document) -> Document:
        """Returns the members that the snapshot keeps of an entity."""
        keep_only, left_out = self.view.attrs or self.view.pick, self.view.omit
        return {
            name: value
            for name, value in document.items()
            if name in MEMBERS or ((not keep_only or name in keep_only) and name not in left_out)
        }


def read_wanted(call: Call, body: Mapping[str, Any], context: Context) -> Wanted:
    """Reads one query of a snapshot.

    Raises:
        BadInput: like a query for entities, ``query.temporal`` for one with a temporal part.
    """
    parameters = read_body(dict(body))
    check_width(parameters, context)
    asked = read_query(call, parameters, context, Page(ENTITIES_MOST, 0, count=False))
    return Wanted(asked, read_view(parameters, context, JSON))


async def fill(
    call: Call, held: Snapshot, wanted: Sequence[Wanted], evolutions: Sequence[WantedEvolutions]
) -> None:
    """Carries out the queries, stores what they find, and says how it went (§5.16.1.4)."""
    found: dict[str, Document] = {}
    values = Gathered()
    details = [await _detail(call, _gather(call, one, found)) for one in wanted]
    temporal = [await _detail(call, gather_evolutions(call, one, values)) for one in evolutions]

    async def store() -> None:
        await _store(call, held, found.values())
        await store_evolutions(call, held, values)

    failure = await _content(call, held, store)
    if failure is not None:
        details, temporal = [failure] * len(details), [failure] * len(temporal)
    await _finish(call, held, _status([*details, *temporal]), details, temporal)


async def copy(call: Call, held: Snapshot, original: Snapshot) -> None:
    """Gives a snapshot what another one has (§5.16.2)."""
    shelf = Shelf.of(call)

    async def store() -> None:
        query = EntityQuery(Reach(original.tenant(call.tenant)), limit=_PUTS)
        while bodies := (await shelf.copies.query(query)).documents:
            await _store(call, held, [one for body in bodies if (one := living(body)) is not None])
            query = replace(query, after=str(decode_document(bodies[-1])["id"]))
        await copy_evolutions(call, held, original)
        # had it been removed meanwhile, a part would be missing
        if (await shelf.load(original.id)).created_at != original.created_at:
            raise NotFound("snapshot.absent", id=original.id)

    failure = await _content(call, held, store)
    status, details, temporal = original.status, original.details, original.temporal_details
    if failure is not None:
        status, details, temporal = "failure", [failure] * len(details), [failure] * len(temporal)
    await _finish(call, held, status, details, temporal)


async def _content(call: Call, held: Snapshot, store: Callable[[], Awaitable[None]]) -> dict[str, Any] | None:
    """Has the content stored, all or nothing; returns what went wrong, if it did."""
    shelf = Shelf.of(call)
    try:
        # somebody may have ended in the midst of it before, under the same name
        await shelf.clear(held)
        await store()
    except YunmengError as error:
        with suppress(YunmengError):
            await shelf.clear(held)
        return _failure(call, error)
    return None


async def _finish(
    call: Call, held: Snapshot, status: str, details: list[dict[str, Any]], temporal: list[dict[str, Any]]
) -> None:
    def edit(one: Snapshot) -> None:
        one.status, one.details, one.temporal_details = status, details, temporal
        one.modified_at = now_us()

    shelf = Shelf.of(call)
    try:
        await shelf.change(held, edit)
    except NotFound:
        # it was removed before all was there, and somebody else may have its place by now
        if all(one.id == held.id or one.place != held.place for one in await shelf.load_all()):
            await shelf.clear(held)


async def _detail(call: Call, gathering: Awaitable[bool]) -> dict[str, Any]:
    try:
        return {"resultStatus": "success" if await gathering else "empty"}
    except YunmengError as error:
        return _failure(call, error)


def _failure(call: Call, error: YunmengError) -> dict[str, Any]:
    return {"resultStatus": "failure", "problemDetails": problem_document(error, call.language, etsi=True)}


async def _gather(call: Call, wanted: Wanted, found: dict[str, Document]) -> bool:
    bodies = (await call.services.state.query(await linked(call, wanted.query))).documents
    if len(bodies) > ENTITIES_MOST:
        raise TooMany("snapshot.too-many", most=ENTITIES_MOST)
    documents = [wanted.part(one) for body in bodies if (one := living(body)) is not None]
    for one in documents:
        found[str(one["id"])] = found.get(str(one["id"]), {}) | one
    return bool(documents)


def _status(details: Sequence[Mapping[str, Any]]) -> str:
    results = [detail["resultStatus"] for detail in details]
    if all(result == "success" for result in results):
        return "success"
    if "success" in results:
        return "partial"
    return "failure" if "failure" in results else "empty"


async def _store(call: Call, held: Snapshot, documents: Iterable[Document]) -> None:
    rest = iter(documents)
    while puts := tuple(islice(rest, _PUTS)):
        await keep_copies(call.services.bus, call.principal, held.tenant(call.tenant), puts)

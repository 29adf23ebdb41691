"""How a snapshot is filled: from queries, or from another one (ETSI GS CIM 009 §5.16.1, §5.16.2)."""

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from yunmeng.kernel.base import YunmengError, now_us
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
from yunmeng.kernel.serve.ngsild.snapshots import ENTITIES_MOST, Snapshot, clear, copies, keep
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
    held.details = [await _detail(call, _gather(call, one, found)) for one in wanted]
    held.temporal_details = [await _detail(call, gather_evolutions(call, one, values)) for one in evolutions]
    # somebody may have ended in the midst of it before, under the same name
    await clear(call, held)
    await _store(call, held, found.values())
    await store_evolutions(call, held, values)
    held.status = _status([one["resultStatus"] for one in (*held.details, *held.temporal_details)])
    held.modified_at = now_us()
    await keep(call, held)


async def _detail(call: Call, gathering: Awaitable[bool]) -> dict[str, Any]:
    try:
        return {"resultStatus": "success" if await gathering else "empty"}
    except YunmengError as error:
        problem = problem_document(error, call.language, etsi=True)
        return {"resultStatus": "failure", "problemDetails": problem}


async def _gather(call: Call, wanted: Wanted, found: dict[str, Document]) -> bool:
    bodies = (await call.services.state.query(await linked(call, wanted.query))).documents
    if len(bodies) > ENTITIES_MOST:
        raise TooMany("snapshot.too-many", most=ENTITIES_MOST)
    documents = [wanted.part(one) for body in bodies if (one := living(body)) is not None]
    for one in documents:
        found[str(one["id"])] = found.get(str(one["id"]), {}) | one
    return bool(documents)


def _status(results: Sequence[str]) -> str:
    if all(result == "success" for result in results):
        return "success"
    if "success" in results:
        return "partial"
    return "failure" if "failure" in results else "empty"


async def _store(call: Call, held: Snapshot, documents: Iterable[Document]) -> None:
    rest = iter(documents)
    while puts := tuple(islice(rest, _PUTS)):
        await keep_copies(call, held.tenant(call.tenant), puts)


async def copy(call: Call, held: Snapshot, original: Snapshot) -> None:
    """Gives a snapshot what another one has (§5.16.2)."""
    await clear(call, held)
    query = EntityQuery(Reach(original.tenant(call.tenant)), limit=_PUTS)
    while bodies := (await copies(call).query(query)).documents:
        documents = [one for body in bodies if (one := living(body)) is not None]
        await keep_copies(call, held.tenant(call.tenant), documents)
        query = replace(query, after=str(decode_document(bodies[-1])["id"]))
    await copy_evolutions(call, held, original)
    held.status, held.modified_at = original.status, now_us()
    held.details, held.temporal_details = original.details, original.temporal_details
    await keep(call, held)

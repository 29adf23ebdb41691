"""How a snapshot gets its entities: from queries, or from another one (ETSI GS CIM 009 §5.16.1, §5.16.2)."""

from collections.abc import Mapping, Sequence
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
from yunmeng.kernel.serve.ngsild.snapshots import Snapshot, clear, copies, keep
from yunmeng.kernel.serve.refusals import TooMany, problem_document
from yunmeng.kernel.serve.replies import JSON
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.store import EntityQuery
from yunmeng.kernel.trust import Reach

ENTITIES_MOST = 10_000
"""So many entities one query may bring."""

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


async def fill(call: Call, held: Snapshot, wanted: Sequence[Wanted]) -> None:
    """Carries out the queries, stores what they find, and says how it went (§5.16.1.4)."""
    found: dict[str, Document] = {}
    held.details = [await _gather(call, one, found) for one in wanted]
    await _store(call, held, found)
    held.status = _status([detail["resultStatus"] for detail in held.details])
    held.modified_at = now_us()
    await keep(call, held)


async def _gather(call: Call, wanted: Wanted, found: dict[str, Document]) -> dict[str, Any]:
    try:
        bodies = (await call.services.state.query(await linked(call, wanted.query))).documents
        if len(bodies) > ENTITIES_MOST:
            raise TooMany("snapshot.too-many", most=ENTITIES_MOST)
    except YunmengError as error:
        return {
            "resultStatus": "failure",
            "problemDetails": problem_document(error, call.language, etsi=True),
        }
    documents = [wanted.part(one) for body in bodies if (one := living(body)) is not None]
    for one in documents:
        found[str(one["id"])] = found.get(str(one["id"]), {}) | one
    return {"resultStatus": "success" if documents else "empty"}


def _status(results: Sequence[str]) -> str:
    if all(result == "success" for result in results):
        return "success"
    if "success" in results:
        return "partial"
    return "failure" if "failure" in results else "empty"


async def _store(call: Call, held: Snapshot, found: Mapping[str, Document]) -> None:
    # somebody may have ended in the midst of it before, under the same name
    await clear(call, held)
    rest = iter(found.values())
    while puts := tuple(islice(rest, _PUTS)):
        await keep_copies(call, held.tenant(call.tenant), puts)


async def copy(call: Call, held: Snapshot, original: Snapshot) -> None:
    """Gives a snapshot the entities of another one (§5.16.2)."""
    await clear(call, held)
    query = EntityQuery(Reach(original.tenant(call.tenant)), limit=_PUTS)
    while bodies := (await copies(call).query(query)).documents:
        documents = [one for body in bodies if (one := living(body)) is not None]
        await keep_copies(call, held.tenant(call.tenant), documents)
        query = replace(query, after=str(decode_document(bodies[-1])["id"]))
    held.status, held.details, held.modified_at = original.status, original.details, now_us()
    await keep(call, held)

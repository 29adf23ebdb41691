"""Classification (GB/T 43697-2024): closed above a clearance, noted when revealed."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, cast

from yunmeng.kernel.base import Forbidden, now_us
from yunmeng.kernel.model import And, Compare, Condition, Document, Exists, Linked, Or, TypeLibrary
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.store import EntityQuery
from yunmeng.kernel.trust import AuditEvent

if TYPE_CHECKING:
    from yunmeng.kernel.serve.desk import Desk

_PUBLIC = 1
_MOST_NAMED = 20


class Grades:
    """The grade of every attribute that is not public, by URI; the highest where types differ."""

    def __init__(self, library: TypeLibrary) -> None:
        self.by_attribute: Mapping[str, int] = _graded(library)
        self.attributes = frozenset(self.by_attribute)

    def above(self, clearance: int) -> frozenset[str]:
        """Returns the attributes that stay closed."""
        return frozenset(uri for uri, grade in self.by_attribute.items() if grade > clearance)


def _graded(library: TypeLibrary) -> dict[str, int]:
    grades: dict[str, int] = {}
    tables = (type_.attributes for type_ in library.types.values())
    for row in chain(library.terms.values(), *tables):
        if row.grade > _PUBLIC:
            grades[row.uri] = max(row.grade, grades.get(row.uri, _PUBLIC))
    return grades


def _grades(call: Call) -> Grades:
    return cast("Desk", call.request.scope["yunmeng.desk"]).grades


def closed(call: Call) -> frozenset[str]:
    """Returns the attributes that this caller may not see."""
    return _grades(call).above(call.principal.clearance) if _grades(call).by_attribute else frozenset()


def graded(call: Call) -> frozenset[str]:
    """Returns the attributes that are not for everybody."""
    return _grades(call).attributes


async def open_documents(call: Call, documents: list[Document]) -> list[Document]:
    """Takes out what is above the caller's clearance; an audit event says what graded is shown."""
    by_attribute = _grades(call).by_attribute
    if not by_attribute:
        return documents
    hidden = closed(call)
    if hidden:
        documents = [{k: v for k, v in one.items() if k not in hidden} for one in documents]
    await note_revealed(call, documents, {uri for one in documents for uri in one})
    return documents


async def note_revealed(call: Call, documents: Sequence[Document], attributes: Collection[str]) -> None:
    """Leaves an audit event when attributes that are about to be shown are graded."""
    revealed = sorted(graded(call) & frozenset(attributes))
    if revealed:
        await _reveal(call, [str(one["id"]) for one in documents], revealed)


async def _reveal(call: Call, entities: Sequence[str], attributes: Sequence[str]) -> None:
    by_attribute = _grades(call).by_attribute
    event = AuditEvent(
        at=now_us(),
        principal=call.principal.id,
        action="entity.reveal",
        resource=entities[0],
        decision="allow",
        tenant=call.tenant,
        facts={
            "entities": str(len(entities)),
            "first": " ".join(entities[:_MOST_NAMED]),
            "attributes": " ".join(attributes[:_MOST_NAMED]),
            "grade": str(max(by_attribute.get(uri, _PUBLIC) for uri in attributes)),
        },
        request=str(call.request.scope.get("yunmeng.request", "")),
    )
    await cast("Desk", call.request.scope["yunmeng.desk"]).trail.record(event)


def refuse_graded(call: Call, query: EntityQuery) -> None:
    """Refuses a query that asks about closed values: whether it matches would tell them.

    Raises:
        Forbidden: ``attribute.graded``.
    """
    hidden = closed(call)
    if not hidden:
        return
    asked = set(query.attributes) | set(paths_of(query.conditions))
    if query.geo is not None:
        asked.add(query.geo.property)
    if found := sorted(asked & hidden):
        raise Forbidden("attribute.graded", attributes=found)


def paths_of(condition: Condition | None) -> Iterator[str]:
    """Yields the attributes that a condition asks about."""
    match condition:
        case Compare(path=path) | Exists(path=path):
            yield path.attribute
        case Linked(path=path, condition=inner):
            yield path.attribute
            yield from paths_of(inner)
        case And(parts=parts) | Or(parts=parts):
            for part in parts:
                yield from paths_of(part)
        case None:
            return

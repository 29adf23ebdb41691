"""Operations carried out on documents: what each becomes, and what the commit has to store."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from yunmeng.kernel.base import Forbidden, NotFound, YunmengError, division
from yunmeng.kernel.keeper.requests import WriteReply, WriteRequest, evolution_tenant
from yunmeng.kernel.model import (
    DIVISION,
    Applied,
    Change,
    Create,
    Document,
    Operation,
    Outcome,
    Replace,
    Upsert,
    apply,
)
from yunmeng.kernel.store import Commit, EntityPut, EntityRemoval, StateWriter
from yunmeng.kernel.trust import Reach

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Document).decode
MEMBERS = frozenset({"id", "type", "scope", "createdAt", "modifiedAt", "deletedAt", "expiresAt"})


@dataclass(slots=True)
class Written:
    """What a round of write requests leads to; ``replies`` stand in the order of the requests."""

    replies: list[WriteReply] = field(default_factory=list[WriteReply])
    changes: list[Change] = field(default_factory=list[Change])
    touched: dict[tuple[str, str], Document | None] = field(
        default_factory=dict[tuple[str, str], Document | None]
    )


def subject_id(operation: Operation) -> str:
    """Returns the id of the entity that an operation is about."""
    if isinstance(operation, Create | Upsert | Replace):
        return str(operation.document["id"])
    return operation.id


class Writer:
    """Carries out write requests against the stored documents, one after the other, in memory."""

    def __init__(self, state: StateWriter, home_division: str) -> None:
        self._state = state
        self._home = home_division

    async def carry_out(self, requests: Sequence[tuple[WriteRequest, str]], at_us: int) -> Written:
        """Applies the requests (each with its principal's id) in order; stores nothing yet."""
        stored = await self._load(request for request, _ in requests)
        written = Written()
        for request, principal in requests:
            outcomes: list[Outcome] = []
            for operation in request.operations:
                at_us += 1
                outcomes.append(self._one(operation, request.reach, principal, at_us, stored, written))
            written.replies.append(WriteReply(tuple(outcomes)))
        return written

    async def _load(self, requests: Iterable[WriteRequest]) -> dict[tuple[str, str], bytes]:
        wanted: defaultdict[str, set[str]] = defaultdict(set)
        for request in requests:
            wanted[request.reach.tenant].update(subject_id(operation) for operation in request.operations)
        return {
            (tenant, id): body
            for tenant, ids in wanted.items()
            for id, body in (await self._state.documents(tenant, ids)).items()
        }

    def _one(
        self,
        operation: Operation,
        reach: Reach,
        principal: str,
        at_us: int,
        stored: dict[tuple[str, str], bytes],
        written: Written,
    ) -> Outcome:
        key = (reach.tenant, subject_id(operation))
        if key not in written.touched and key in stored:
            written.touched[key] = _decode(stored[key])
        current = written.touched.get(key)
        try:
            self._admit(operation, current, reach)
            applied = apply(operation, current, at_us, reach.tenant, principal)
            self._admit_result(applied, reach)
        except YunmengError as error:
            return Outcome(key[1], "refused", error=error.key, facts=error.facts, status=error.status)
        if applied.change is not None:
            written.touched[key] = applied.document
            written.changes.append(
                msgspec.structs.replace(applied.change, division=self._division(applied, current))
            )
        return applied.outcome

    def _admit(self, operation: Operation, current: Document | None, reach: Reach) -> None:
        if current is not None and not within_reach(division_of(current) or self._home, reach):
            if isinstance(operation, Create | Upsert):
                raise Forbidden("keeper.out-of-reach", id=current["id"])
            raise NotFound("entity.absent", id=current["id"])

    def _admit_result(self, applied: Applied, reach: Reach) -> None:
        if applied.document is None or applied.change is None:
            return
        code = division_of(applied.document)
        if code:
            division(code)
        if not within_reach(code or self._home, reach):
            raise Forbidden("keeper.out-of-reach", id=applied.document["id"])

    def _division(self, applied: Applied, current: Document | None) -> str:
        document = applied.document if applied.document is not None else current
        return (division_of(document) if document is not None else "") or self._home

    def store(self, written: Written, commit: Commit) -> None:
        """Adds the final documents, removals and dropped telemetry to the commit."""
        changed = {(change.tenant, change.entity) for change in written.changes}
        for (tenant, id), document in written.touched.items():
            if (tenant, id) not in changed:
                continue
            if document is None:
                commit.removals.append(EntityRemoval(tenant, id))
            else:
                commit.puts.append(self.put(tenant, document))
        commit.puts.extend(
            self.put(evolution_tenant(change.tenant), head_of(change))
            for change in written.changes
            if change.kind == "deleted"
        )
        commit.drop_last.extend(
            (change.tenant, change.entity, attribute)
            for change in written.changes
            if change.kind == "updated"
            for attribute in change.attributes
            if attribute not in change.after
        )

    def put(self, tenant: str, document: Document) -> EntityPut:
        """Returns a document ready to store."""
        return EntityPut(
            tenant,
            document["id"],
            tuple(document["type"]),
            division_of(document) or self._home,
            _encode(document),
            tuple(_geometries(document)),
        )


def head_of(change: Change) -> Document:
    """Returns what stays of a deleted entity: what its evolution needs to be found and shown (§5.6.6)."""
    kept = {name: value for name, value in change.before.items() if name in MEMBERS or name == DIVISION}
    return {**kept, "modifiedAt": change.at, "deletedAt": change.at}


def division_of(document: Document) -> str:
    """Returns the GB/T 2260 code that the document names, or nothing."""
    for instance in document.get(DIVISION, ()):
        return str(instance.get("value", ""))
    return ""


def within_reach(code: str, reach: Reach) -> bool:
    """Tells whether a division lies within the reach."""
    return reach.prefixes is None or code.startswith(reach.prefixes)


def _geometries(document: Document) -> Iterable[tuple[str, str]]:
    for attribute, instances in document.items():
        if attribute in MEMBERS:
            continue
        for instance in instances:
            if instance.get("type") == "GeoProperty":
                yield attribute, _encode(instance["value"]).decode()

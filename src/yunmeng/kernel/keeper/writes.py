"""Operations carried out on documents: what each becomes, and what the commit has to store."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from yunmeng.kernel.base import Conflict, Forbidden, NotFound, YunmengError, division, format_us
from yunmeng.kernel.keeper.changes import Changed
from yunmeng.kernel.keeper.prepared import MOMENT_LENGTH, Prepared
from yunmeng.kernel.keeper.requests import SentWrite, WriteReply, WriteRequest, evolution_tenant
from yunmeng.kernel.keeper.sheets import Sheet, Single
from yunmeng.kernel.model import (
    DIVISION,
    EXPIRY,
    Applied,
    Change,
    ChangeRecord,
    Create,
    Document,
    Operation,
    Outcome,
    Replace,
    Upsert,
    apply,
    next_expiry,
    record_of,
)
from yunmeng.kernel.store import Commit, EntityPut, EntityRemoval, StateWriter, outline_of
from yunmeng.kernel.trust import Reach

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Document).decode
MEMBERS = frozenset({"id", "type", "scope", "createdAt", "modifiedAt", "deletedAt", "expiresAt"})

_EXPIRES = f'"{EXPIRY}"'.encode()
_UNCOMMON = frozenset(("scope", EXPIRY))

Key = tuple[str, str]


class Version:
    """An entity at one point of a round: parsed if an operation looks inside, stored if it has a ``put``.

    One that came ``prepared`` has nothing that expires.
    """

    __slots__ = ("_document", "_prepared", "body", "put")

    def __init__(
        self,
        body: bytes,
        document: Document | None = None,
        put: EntityPut | None = None,
        *,
        prepared: bool = False,
    ) -> None:
        self.body = body
        self.put = put
        self._document = document
        self._prepared = prepared

    @property
    def document(self) -> Document:
        """The document in stored form."""
        if self._document is None:
            self._document = _decode(self.body)
        return self._document

    @property
    def expires(self) -> int:
        """When something of it expires (µs UTC), 0 for never."""
        return next_expiry(self.document) if not self._prepared and _EXPIRES in self.body else 0


@dataclass(slots=True)
class Written:
    """What a round of write requests leads to; ``replies`` stand in the order of the requests.

    ``touched`` are the entities as the round leaves them, None when gone; ``last_us`` is the newest moment.
    """

    replies: list[WriteReply] = field(default_factory=list[WriteReply])
    changes: list[Changed] = field(default_factory=list[Changed])
    touched: dict[Key, Version | None] = field(default_factory=dict[Key, Version | None])
    last_us: int = 0

    def moment(self) -> int:
        """Returns a moment of its own; one that is written with six digits, as prepared documents want it."""
        self.last_us += 1 if self.last_us % 1000 != 999 else 2
        return self.last_us


def subject_ids(operation: Operation | Prepared | Sheet) -> tuple[str, ...]:
    """Returns the ids of the entities that an operation is about."""
    return operation.ids if isinstance(operation, Sheet) else (_subject_id(operation),)


def _subject_id(operation: Operation | Prepared | Single) -> str:
    if isinstance(operation, Create | Upsert | Replace):
        return str(operation.document["id"])
    return operation.id


def _refused(id: str, error: YunmengError) -> Outcome:
    return Outcome(id, "refused", error=error.key, facts=error.facts, status=error.status)


class Writer:
    """Carries out write requests against the stored documents, one after the other, in memory."""

    def __init__(self, state: StateWriter, home_division: str) -> None:
        self._state = state
        self._home = home_division

    async def carry_out(self, writes: Sequence[SentWrite], at_us: int) -> Written:
        """Applies the requests in order; stores nothing yet."""
        stored = await self._load(write.request for write in writes)
        written = Written(last_us=at_us)
        for write in writes:
            request, principal = write.request, write.principal
            outcomes = self._overtaken(request, stored, written) or [
                outcome
                for operation in request.operations
                for outcome in self._each(operation, request.reach, principal, stored, written)
            ]
            written.replies.append(WriteReply(tuple(outcomes)))
        return written

    def _overtaken(self, request: WriteRequest, stored: dict[Key, bytes], written: Written) -> list[Outcome]:
        """Returns the refusals of a request one of whose entities is not as it was when it was read."""
        for id, modified_at in request.expected:
            current = self._current((request.reach.tenant, id), stored, written)
            if current is None or current.document.get("modifiedAt") != modified_at:
                refused = Conflict("entity.changed", id=id)
                return [_refused(id_, refused) for each in request.operations for id_ in subject_ids(each)]
        return []

    @staticmethod
    def _current(key: Key, stored: dict[Key, bytes], written: Written) -> Version | None:
        if key not in written.touched and key in stored:
            written.touched[key] = Version(stored[key])
        return written.touched.get(key)

    async def _load(self, requests: Iterable[WriteRequest]) -> dict[Key, bytes]:
        wanted: defaultdict[str, set[str]] = defaultdict(set)
        for request in requests:
            ids = wanted[request.reach.tenant]
            ids.update([id for operation in request.operations for id in subject_ids(operation)])
            ids.update([id for id, _ in request.expected])
        return {
            (tenant, id): body
            for tenant, ids in wanted.items()
            for id, body in (await self._state.documents(tenant, ids)).items()
        }

    def _each(
        self,
        operation: Operation | Prepared | Sheet,
        reach: Reach,
        principal: str,
        stored: dict[Key, bytes],
        written: Written,
    ) -> Sequence[Outcome]:
        if not isinstance(operation, Sheet):
            return (self._one(operation, reach, principal, stored, written),)
        done = self._put_sheet(operation, reach, principal, stored, written)
        return done or [self._one(one, reach, principal, stored, written) for one in operation.single()]

    def _put_sheet(
        self, sheet: Sheet, reach: Reach, principal: str, stored: dict[Key, bytes], written: Written
    ) -> Sequence[Outcome]:
        """Stores entities as they came, at one moment; nothing is done, and no outcome, when that cannot be.

        That is so as soon as one of them wants a closer look, or is refused.
        """
        current = [self._current((reach.tenant, id), stored, written) for id in sheet.ids]
        if (sheet.mode == "create" and any(current)) or (sheet.mode == "replace" and not all(current)):
            return ()
        at_us = written.moment()
        at = format_us(at_us)
        created = self._succession_of(sheet, current, reach, at)
        if created is None:
            return ()
        puts, rows = sheet.settled(reach.tenant, self._home, at_us, at, created)
        names = sheet.layout.names
        for put, version in zip(puts, current, strict=True):
            kind, before = ("created", b"") if version is None else ("updated", version.body)
            record = ChangeRecord(
                put.tenant, put.id, put.types, put.division, at, kind, names, put.body, before, principal
            )
            written.touched[put.tenant, put.id] = Version(put.body, put=put, prepared=True)
            written.changes.append(Changed(record, rows=rows))
        return [
            Outcome(id, "created" if version is None else "updated")
            for id, version in zip(sheet.ids, current, strict=True)
        ]

    def _succession_of(
        self, sheet: Sheet, current: Sequence[Version | None], reach: Reach, at: str
    ) -> list[tuple[str, ...]] | None:
        """Returns when instances and entities were created, nothing when all are new; None when not to be."""
        layout = sheet.layout
        try:
            for code in set(sheet.divisions) or ("",):
                self._admit_division(code, reach, sheet.ids[0])
            if not any(current):
                return []
            new = (at,) * (len(layout.places) + 1)
            created: list[tuple[str, ...]] = []
            for version in current:
                known = new
                if version is not None:
                    self._admit(sheet, version.document, reach)
                    known = succession(version.document, layout.types, layout.places, at)
                if known is None:
                    return None
                created.append(known)
        except (YunmengError, RecursionError):
            return None
        return created

    def _one(
        self,
        operation: Operation | Prepared | Single,
        reach: Reach,
        principal: str,
        stored: dict[Key, bytes],
        written: Written,
    ) -> Outcome:
        key = (reach.tenant, _subject_id(operation))
        current = self._current(key, stored, written)
        try:
            if isinstance(operation, Prepared):
                done = self._put_whole(operation, current, reach, principal, written)
                if done is not None:
                    return done
            if isinstance(operation, Prepared | Single):
                operation = operation.plain()
            return self._apply(operation, current, reach, principal, written)
        except YunmengError as error:
            return _refused(key[1], error)
        except RecursionError:
            # what the edge could just read may be too deep here; it must not end the one writer
            return Outcome(key[1], "refused", error="json.deep", status=400)

    def _put_whole(
        self, entity: Prepared, current: Version | None, reach: Reach, principal: str, written: Written
    ) -> Outcome | None:
        """Stores an entity as it came: nothing of it is parsed here, and nothing encoded.

        None, and nothing done, when what is there already wants the long way.
        """
        if entity.mode == ("replace" if current is None else "create"):
            return None
        layout = entity.layout
        at_us = written.moment()
        at = format_us(at_us)
        created = (at,) * (len(layout.places) + 1)
        if current is not None:
            self._admit(entity, current.document, reach)
            known = succession(current.document, layout.types, layout.places, at)
            if known is None:
                return None
            created = known
        self._admit_division(entity.division, reach, entity.id)
        put, rows = entity.settled(reach.tenant, entity.division or self._home, at_us, at, created)
        record = ChangeRecord(
            put.tenant,
            put.id,
            put.types,
            put.division,
            at,
            "created" if current is None else "updated",
            layout.names,
            put.body,
            b"" if current is None else current.body,
            principal,
        )
        written.touched[reach.tenant, entity.id] = Version(put.body, put=put, prepared=True)
        written.changes.append(Changed(record, rows=rows))
        return Outcome(entity.id, record.kind)

    def _apply(
        self, operation: Operation, current: Version | None, reach: Reach, principal: str, written: Written
    ) -> Outcome:
        before = current.document if current is not None else None
        self._admit(operation, before, reach)
        applied = apply(operation, before, written.moment(), reach.tenant, principal)
        self._admit_result(applied, reach)
        if applied.change is not None:
            self._note(applied, current, written)
        return applied.outcome

    def _note(self, applied: Applied, current: Version | None, written: Written) -> None:
        change, document = applied.change, applied.document
        if change is None:
            return
        division = self._division(applied, current.document if current is not None else None)
        change = msgspec.structs.replace(change, division=division)
        put = self.put(change.tenant, document) if document is not None else None
        written.touched[change.tenant, change.entity] = (
            Version(put.body, document, put) if put is not None else None
        )
        after, before = put.body if put is not None else b"", current.body if current is not None else b""
        written.changes.append(Changed(record_of(change, after, before), change))

    def _admit(self, operation: Operation | Prepared | Sheet, current: Document | None, reach: Reach) -> None:
        if current is not None and not within_reach(division_of(current) or self._home, reach):
            if isinstance(operation, Create | Upsert) or getattr(operation, "mode", "") == "upsert":
                raise Forbidden("keeper.out-of-reach", id=current["id"])
            raise NotFound("entity.absent", id=current["id"])

    def _admit_result(self, applied: Applied, reach: Reach) -> None:
        if applied.document is None or applied.change is None:
            return
        self._admit_division(division_of(applied.document), reach, applied.document["id"])

    def _admit_division(self, code: str, reach: Reach, id: str) -> None:
        if code:
            division(code)
        if not within_reach(code or self._home, reach):
            raise Forbidden("keeper.out-of-reach", id=id)

    def _division(self, applied: Applied, current: Document | None) -> str:
        document = applied.document if applied.document is not None else current
        return (division_of(document) if document is not None else "") or self._home

    def store(self, written: Written, commit: Commit) -> None:
        """Adds the final documents, removals and dropped telemetry to the commit."""
        for tenant, id in {(one.record.tenant, one.record.entity): None for one in written.changes}:
            version = written.touched[tenant, id]
            if version is None:
                commit.removals.append(EntityRemoval(tenant, id))
            elif version.put is not None:
                commit.puts.append(version.put)
        for one in written.changes:
            if one.record.kind == "deleted":
                change = one.change
                commit.puts.append(self.put(evolution_tenant(change.tenant), head_of(change)))
            elif one.record.kind == "updated" and one.rows is None:
                after = one.change.after
                gone = (attribute for attribute in one.record.attributes if attribute not in after)
                commit.drop_last.extend((one.record.tenant, one.record.entity, name) for name in gone)

    def put(self, tenant: str, document: Document) -> EntityPut:
        """Returns a document ready to store."""
        return EntityPut(
            tenant,
            document["id"],
            tuple(document["type"]),
            division_of(document) or self._home,
            _encode(document),
            outline_of(document),
        )


def head_of(change: Change) -> Document:
    """Returns what stays of a deleted entity: what its evolution needs to be found and shown (§5.6.6)."""
    kept = {name: value for name, value in change.before.items() if name in MEMBERS or name == DIVISION}
    return {**kept, "modifiedAt": change.at, "deletedAt": change.at}


def succession(
    before: Document, types: tuple[str, ...], places: Sequence[tuple[str, str]], at: str
) -> tuple[str, ...] | None:
    """Returns when the instances at ``places`` (attribute, datasetId), and the entity, were created.

    None when replacing the entity does more than give its instances new values: types change, instances go,
    something expires.
    """
    if tuple(before["type"]) != types or not _UNCOMMON.isdisjoint(before):
        return None
    created = {
        (attribute, one.get("datasetId", "")): "" if EXPIRY in one else one.get("createdAt", "")
        for attribute, instances in before.items()
        if attribute not in MEMBERS
        for one in instances
    }
    moments = (*[created.pop(place, at) for place in places], before.get("createdAt", ""))
    if created or not {MOMENT_LENGTH}.issuperset(map(len, moments)):
        return None
    return moments


def division_of(document: Document) -> str:
    """Returns the GB/T 2260 code that the document names, or nothing."""
    for instance in document.get(DIVISION, ()):
        return str(instance.get("value", ""))
    return ""


def within_reach(code: str, reach: Reach) -> bool:
    """Tells whether a division lies within the reach."""
    return reach.prefixes is None or code.startswith(reach.prefixes)

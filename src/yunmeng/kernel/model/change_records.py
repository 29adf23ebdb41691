"""Committed changes as bytes, squeezed: their documents are the JSON that the state stores."""

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from yunmeng.kernel.base import squeezed, unsqueezed
from yunmeng.kernel.model.operations import Change, Document

_encode = msgspec.msgpack.Encoder().encode
_document = msgspec.json.Decoder(Document).decode


class ChangeRecord(msgspec.Struct, frozen=True, array_like=True):
    """A :class:`Change` whose documents are JSON in stored form, empty for none."""

    tenant: str
    entity: str
    types: tuple[str, ...]
    division: str
    at: str
    kind: Literal["created", "updated", "deleted"]
    attributes: tuple[str, ...]
    after: bytes
    before: bytes
    principal: str

    def change(self) -> Change:
        """Returns the change with its documents parsed."""
        return Change(
            self.tenant,
            self.entity,
            self.types,
            self.division,
            self.at,
            self.kind,
            self.attributes,
            _document(self.after) if self.after else {},
            _document(self.before) if self.before else {},
            self.principal,
        )


_records = msgspec.msgpack.Decoder(list[ChangeRecord]).decode


def record_of(change: Change, after: bytes, before: bytes) -> ChangeRecord:
    """Returns the record of a change whose documents are known as JSON."""
    return ChangeRecord(
        change.tenant,
        change.entity,
        change.types,
        change.division,
        change.at,
        change.kind,
        change.attributes,
        after,
        before,
        change.principal,
    )


def encode_changes(records: Sequence[ChangeRecord]) -> bytes:
    """Returns the records as a message of the CHG stream."""
    return squeezed(_encode(records))


def decode_changes(data: bytes) -> list[Change]:
    """Reads a message of the CHG stream."""
    return [record.change() for record in _records(unsqueezed(data))]


def decode_records(parts: Iterable[bytes]) -> list[ChangeRecord]:
    """Reads the records of several messages."""
    return [record for part in parts for record in _records(unsqueezed(part))]

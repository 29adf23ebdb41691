"""Whole entities made ready by who asks: the single writer does nothing that needs no knowledge of the state.

The document stands as the JSON that is to be stored, with marks where the moment of the write belongs;
beside it stand the facts that index and history want. The keeper looks inside only when the entity exists
already. Decision 0011 has the figures.
"""

from array import array
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, zip_longest
from typing import Literal

import msgspec

from yunmeng.kernel.base import BadInput, instant_us
from yunmeng.kernel.model import (
    DIVISION,
    EXPIRY,
    Create,
    Document,
    Operation,
    Replace,
    Upsert,
)
from yunmeng.kernel.store import EntityPut, InstanceRows, Outline, boxes_of, value_columns

# JSON never holds these bytes, and a moment with six digits of a second is as long: cuts stay where they are.
MOMENT_LENGTH = len("2026-11-22T04:00:00.123456Z")
_CREATED, _MODIFIED = b"\x00" * MOMENT_LENGTH, b"\x01" * MOMENT_LENGTH
_STAMPS = b',"createdAt":"' + _CREATED + b'","modifiedAt":"' + _MODIFIED + b'"'
_END = _STAMPS + b"}"
_NO_ROWS: tuple[tuple[()], ...] = ((),) * 5
_SPECIAL = frozenset(("scope", EXPIRY))

moment_us = lru_cache(maxsize=65_536)(instant_us)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Document).decode


class Prepared(msgspec.Struct, frozen=True, tag="prepared"):
    """A whole entity to create or to put in place of another.

    From ``attributes`` on there is one entry an attribute instance: the columns of its row in the history, of
    which ``observed_at`` and ``numbers`` are packed (int64 µs UTC, float64) and ``cuts`` are where the
    instances begin and end in ``body`` (pairs of uint32).
    """

    id: str
    mode: Literal["create", "upsert", "replace"]
    types: tuple[str, ...]
    division: str
    body: bytes
    boxes: tuple[tuple[float, float, float, float], ...]
    attributes: tuple[str, ...]
    dataset_ids: tuple[str, ...]
    units: tuple[str, ...]
    observed_at: bytes
    numbers: bytes
    texts: dict[int, str]
    cuts: bytes

    @property
    def names(self) -> tuple[str, ...]:
        """The attributes, each once."""
        return tuple(dict.fromkeys(self.attributes))

    def plain(self) -> Create | Upsert | Replace:
        """Returns the operation in the form that any state of the entity can be asked with."""
        document = _decode(self.body.replace(_STAMPS, b""))
        if self.mode == "create":
            return Create(document)
        return Upsert(document) if self.mode == "upsert" else Replace(document)

    def put(self, tenant: str, division: str, at: str, created: Sequence[str]) -> EntityPut:
        """Returns the entity as the state stores it at a moment.

        ``created`` are the moments at which its instances and then the entity itself were created; each is
        written with six digits of a second.
        """
        body = self.body.replace(_MODIFIED, at.encode())
        first = created[0]
        if created.count(first) == len(created):
            body = body.replace(_CREATED, first.encode())
        else:
            body = b"".join(
                chain.from_iterable(
                    zip_longest(body.split(_CREATED), map(str.encode, created), fillvalue=b"")
                )
            )
        return EntityPut(tenant, self.id, self.types, division, body, Outline(self.names, (), self.boxes))

    def rows(
        self, put: EntityPut, at_us: int, created: Sequence[str], instance_ids: list[str]
    ) -> InstanceRows:
        """Returns what the history stores of the entity; ``created`` as for :meth:`put`."""
        cuts = array("I", self.cuts)
        return InstanceRows(
            put.tenant,
            self.id,
            self.types[0],
            put.division,
            at_us,
            [moment_us(moment) for moment in created[:-1]],
            (self.attributes, self.dataset_ids, self.units),
            self.observed_at,
            self.numbers,
            self.texts,
            [put.body[start:end] for start, end in zip(cuts[::2], cuts[1::2], strict=True)],
            instance_ids,
        )


def prepared(operation: Operation) -> "Operation | Prepared":
    """Returns the operation prepared, or as it is when its kind or a rare member of its entity wants more."""
    if isinstance(operation, Create):
        mode: Literal["create", "upsert", "replace"] = "create"
    elif isinstance(operation, Upsert) and operation.mode == "replace":
        mode = "upsert"
    elif isinstance(operation, Replace):
        mode = "replace"
    else:
        return operation
    try:
        return _prepare(operation.document, mode) or operation
    except (BadInput, OverflowError):
        # what cannot be laid in columns is for the long way to refuse
        return operation


def _prepare(document: Document, mode: Literal["create", "upsert", "replace"]) -> Prepared | None:
    if not _SPECIAL.isdisjoint(document):
        return None
    parts = [_encode({"id": document["id"], "type": document["type"]})[:-1]]
    place = len(parts[0])
    rows: list[tuple[str, str, str, int, float]] = []
    texts: dict[int, str] = {}
    cuts = array("I")
    for name, instances in document.items():
        if ":" not in name:
            continue
        before = b"," + _name(name) + b":["
        for instance in instances:
            if EXPIRY in instance:
                return None
            body = _encode(instance)[:-1] + _END
            start = place + len(before)
            place = start + len(body)
            cuts.append(start)
            cuts.append(place)
            parts += (before, body)
            before = b","
            unit, number, text = value_columns(instance)
            if text is not None:
                texts[len(rows)] = text
            observed = instance.get("observedAt")
            rows.append(
                (name, instance.get("datasetId", ""), unit, moment_us(observed) if observed else 0, number)
            )
        parts.append(b"]")
        place += 1
    parts.append(_END)
    divisions = document.get(DIVISION)
    attributes, dataset_ids, units, observed_at, numbers = zip(*rows, strict=True) if rows else _NO_ROWS
    return Prepared(
        document["id"],
        mode,
        tuple(document["type"]),
        str(divisions[0].get("value", "")) if divisions else "",
        b"".join(parts),
        tuple(boxes_of(document)),
        attributes,
        dataset_ids,
        units,
        array("q", observed_at).tobytes(),
        array("d", numbers).tobytes(),
        texts,
        cuts.tobytes(),
    )


@lru_cache(maxsize=16_384)
def _name(uri: str) -> bytes:
    return _encode(uri)

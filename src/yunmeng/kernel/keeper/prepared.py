"""Whole entities made ready by who asks: the single writer does nothing that needs no knowledge of the state.

The document stands as the JSON that is to be stored, with marks where the moment of the write belongs;
beside it stand the facts that index and history want. The keeper looks inside only when the entity exists
already. Decision 0011 has the figures.
"""

from array import array
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, zip_longest
from typing import Literal, NamedTuple

import msgspec

from yunmeng.kernel.base import BadInput, instant_us
from yunmeng.kernel.keeper.changes import instance_id, moment_of
from yunmeng.kernel.model import (
    DIVISION,
    EXPIRY,
    Create,
    Document,
    Operation,
    Replace,
    Upsert,
)
from yunmeng.kernel.store import EntityPut, InstanceRows, Outline, boxes_of, sized, value_columns

# JSON never holds these bytes, and a moment with six digits of a second is as long: cuts stay where they are.
MOMENT_LENGTH = len("2026-11-22T04:00:00.123456Z")
_CREATED, _MODIFIED = b"\x00" * MOMENT_LENGTH, b"\x01" * MOMENT_LENGTH
MOMENT = b"\x02" * 24
_STAMPS = b',"createdAt":"' + _CREATED + b'","modifiedAt":"' + _MODIFIED + b'"'
_END = _STAMPS + b"}"
Mode = Literal["create", "upsert", "replace"]
_Texts = tuple[str, ...]
_NO_ROWS: tuple[tuple[()], ...] = ((),) * 5
_SPECIAL = frozenset(("scope", EXPIRY))

moment_us = lru_cache(maxsize=65_536)(instant_us)
_encode = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(tuple[_Texts, _Texts, _Texts, _Texts]).decode
_decode = msgspec.json.Decoder(Document).decode


class Layout(NamedTuple):
    """What thousands of entities have in common: types, and of each attribute instance which it is.

    ``columns`` are attributes, dataset ids and units; ``places`` the first two as pairs, ``names`` the
    attributes each once; ``ids`` are the instances' ids as the history's column, with marks for the moment.
    """

    types: tuple[str, ...]
    columns: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
    places: tuple[tuple[str, str], ...]
    names: tuple[str, ...]
    ids: bytes


class Prepared(msgspec.Struct, frozen=True, tag="prepared"):
    """A whole entity to create or to put in place of another.

    ``pages`` are two things with marks in them: up to ``turn`` the document, from there its instances as the
    history's column has them. ``observed_at``, ``numbers``, ``missing`` and ``texts`` are other columns as
    :class:`InstanceRows` wants them, ``shared`` is an encoded :class:`Layout`.
    """

    id: str
    mode: Mode
    shared: bytes
    division: str
    pages: bytes
    turn: int
    boxes: tuple[tuple[float, float, float, float], ...]
    observed_at: bytes
    numbers: bytes
    missing: bytes
    texts: bytes

    @property
    def layout(self) -> Layout:
        """What it shares with other entities."""
        return layout_of(self.shared)

    def plain(self) -> Create | Upsert | Replace:
        """Returns the operation in the form that any state of the entity can be asked with."""
        return whole(self.mode, self.pages[: self.turn].replace(_STAMPS, b""))

    def settled(
        self, tenant: str, division: str, at_us: int, at: str, created: Sequence[str]
    ) -> tuple[EntityPut, InstanceRows]:
        """Returns what state and history store of the entity that is written ``at`` a moment (``at_us``).

        ``created`` are the moments at which its instances and then the entity itself were created; each is
        written with six digits of a second.
        """
        layout = self.layout
        known = {at: at_us}
        pages = self._stamped(at, created)
        put = EntityPut(
            tenant,
            self.id,
            layout.types,
            division,
            pages[: self.turn],
            Outline(layout.names, (), self.boxes),
        )
        rows = InstanceRows(
            tenant,
            self.id,
            layout.types[0],
            division,
            at_us,
            [known.get(moment) or moment_us(moment) for moment in created[:-1]],
            layout.columns,
            self.observed_at,
            self.numbers,
            (self.missing, self.texts),
            pages[self.turn :],
            layout.ids.replace(MOMENT, moment_of(tenant, self.id, at).encode()),
        )
        return put, rows

    def _stamped(self, at: str, created: Sequence[str]) -> bytes:
        pages = self.pages.replace(_MODIFIED, at.encode())
        first = created[0]
        if created.count(first) == len(created):
            return pages.replace(_CREATED, first.encode())
        moments = map(str.encode, (*created, *created[:-1]))
        return b"".join(chain.from_iterable(zip_longest(pages.split(_CREATED), moments, fillvalue=b"")))


def whole(mode: Mode, body: bytes) -> Create | Upsert | Replace:
    """Returns the operation on a whole entity whose document is given as JSON."""
    document = _decode(body)
    if mode == "create":
        return Create(document)
    return Upsert(document) if mode == "upsert" else Replace(document)


def prepared(operation: Operation) -> "Operation | Prepared":
    """Returns the operation prepared, or as it is when its kind or a rare member of its entity wants more."""
    if isinstance(operation, Create):
        mode: Mode = "create"
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


def _prepare(document: Document, mode: Mode) -> Prepared | None:
    if not _SPECIAL.isdisjoint(document):
        return None
    parts = [_encode({"id": document["id"], "type": document["type"]})[:-1]]
    bodies: list[bytes] = []
    rows: list[tuple[str, str, str, int, float]] = []
    missing, texts = bytearray(), list[bytes]()
    for name, instances in document.items():
        if ":" not in name:
            continue
        before = b"," + name_of(name) + b":["
        for instance in instances:
            if EXPIRY in instance:
                return None
            body = _encode(instance)[:-1] + _END
            bodies.append(sized(body))
            parts += (before, body)
            before = b","
            unit, number, text = value_columns(instance)
            missing.append(text is None)
            texts.append(b"\x00" if text is None else sized(text.encode()))
            observed = instance.get("observedAt")
            rows.append(
                (name, instance.get("datasetId", ""), unit, moment_us(observed) if observed else 0, number)
            )
        parts.append(b"]")
    parts.append(_END)
    body = b"".join(parts)
    divisions = document.get(DIVISION)
    attributes, dataset_ids, units, observed_at, numbers = zip(*rows, strict=True) if rows else _NO_ROWS
    return Prepared(
        document["id"],
        mode,
        shared_layout(tuple(document["type"]), attributes, dataset_ids, units),
        str(divisions[0].get("value", "")) if divisions else "",
        b"".join((body, *bodies)),
        len(body),
        tuple(boxes_of(document)),
        array("q", observed_at).tobytes(),
        array("d", numbers).tobytes(),
        bytes(missing),
        b"".join(texts),
    )


@lru_cache(maxsize=16_384)
def shared_layout(
    types: tuple[str, ...], attributes: tuple[str, ...], dataset_ids: tuple[str, ...], units: tuple[str, ...]
) -> bytes:
    """Returns an encoded :class:`Layout`."""
    return _pack((types, attributes, dataset_ids, units))


@lru_cache(maxsize=16_384)
def layout_of(shared: bytes) -> Layout:
    """Returns what :func:`shared_layout` encoded."""
    types, attributes, dataset_ids, units = _unpack(shared)
    places = tuple(zip(attributes, dataset_ids, strict=True))
    ids = b"".join([sized(instance_id(MOMENT.decode(), *place).encode()) for place in places])
    return Layout(types, (attributes, dataset_ids, units), places, tuple(dict.fromkeys(attributes)), ids)


@lru_cache(maxsize=16_384)
def name_of(uri: str) -> bytes:
    """Returns an attribute's name as JSON."""
    return _encode(uri)

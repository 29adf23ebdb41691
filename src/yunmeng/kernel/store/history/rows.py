"""From observations and instances to one Native block of the history's table."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from yunmeng.kernel.base import instant_us
from yunmeng.kernel.model import VALUE_MEMBERS, ObservationBatch
from yunmeng.kernel.store.history.native import Column, Fixed, Keyed, Plain, Sparse, block, optional, strings
from yunmeng.kernel.store.history.port import HistoryBlock, Instance, InstanceRows, InstanceSheet

KEYED = ("tenant", "attribute", "entity", "dataset_id", "type", "division", "unit", "gateway", "frame")
PLAIN = ("instance_id", "body")
_MOMENT = "DateTime64(6, 'UTC')"
_FIXED: Mapping[str, tuple[str, type[np.generic]]] = {
    "at": (_MOMENT, np.int64),
    "timed": ("Bool", np.uint8),
    "created_at": (_MOMENT, np.int64),
    "modified_at": (_MOMENT, np.int64),
    "number": ("Float64", np.float64),
    "quality": ("UInt8", np.uint8),
    "deleted": ("Bool", np.uint8),
    "synthetic": ("Bool", np.uint8),
}
COLUMNS = (*KEYED, *PLAIN, *_FIXED, "text")
_NAN = float("nan")
_NUMBERS = frozenset((int, float))
_VALUES = ("value", "object", "languageMap", "vocab", "json", "valueList", "objectList")

Codes = NDArray[np.int64]


class _Keys:
    """Gives every distinct string of a column a number; 0 is the empty string."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {"": 0}
        self._parts: list[Codes] = []

    def codes(self, values: Iterable[str]) -> Codes:
        known = self._codes
        return np.array([known.setdefault(value, len(known)) for value in values], np.int64)

    def add(self, codes: Codes) -> None:
        self._parts.append(codes)

    def repeat(self, value: str, rows: int) -> None:
        self.add(np.full(rows, self._codes.setdefault(value, len(self._codes)), np.int64))

    def column(self) -> Keyed:
        return Keyed(list(self._codes), np.concatenate(self._parts))


class Rows:
    """Gathers rows, batch by batch, in columns."""

    def __init__(self) -> None:
        self.count = 0
        self._keys = {name: _Keys() for name in KEYED}
        self._plain: dict[str, list[bytes]] = {name: [] for name in PLAIN}
        self._fixed: dict[str, list[NDArray[Any]]] = {name: [] for name in _FIXED}
        self._texts: list[tuple[bytes, bytes]] = []

    def observe(self, batch: ObservationBatch) -> None:
        """Adds the observations of a batch."""
        rows = len(batch)
        for name in ("entity", "attribute", "type", "division", "unit"):
            keys = self._keys[name]
            keys.add(keys.codes([getattr(series, name) for series in batch.series])[batch.index])
        for name, value in (("tenant", batch.tenant), ("gateway", batch.gateway)):
            self._keys[name].repeat(value, rows)
        self._keys["dataset_id"].repeat("", rows)
        for column in self._plain.values():
            column.append(bytes(rows))  # as many empty strings
        self._keys["frame"].add(self._spread("frame", batch.frame, rows))
        synthetic = np.array([series.synthetic for series in batch.series], np.uint8)[batch.index]
        received = np.full(rows, batch.received_at, np.int64)
        ones, zeros = np.ones(rows, np.uint8), np.zeros(rows, np.uint8)
        self._add_fixed(
            (batch.observed_at, ones, received, received, batch.number, batch.quality, zeros, synthetic)
        )
        self._texts.append(optional(rows, batch.text))
        self.count += rows

    def _spread(self, name: str, present: Mapping[int, str], rows: int) -> Codes:
        codes = np.zeros(rows, np.int64)
        if present:
            codes[np.fromiter(present, np.int64, len(present))] = self._keys[name].codes(present.values())
        return codes

    def write(self, instances: Sequence[Instance]) -> None:
        """Adds attribute instances that were written through the API."""
        bodies = [_Body(instance) for instance in instances]
        for name in ("tenant", "entity", "attribute", "type", "division", "dataset_id"):
            keys = self._keys[name]
            keys.add(keys.codes([getattr(instance, name) for instance in instances]))
        self._keys["unit"].add(self._keys["unit"].codes([body.unit for body in bodies]))
        self._plain["instance_id"].append(strings([instance.instance_id for instance in instances]))
        self._plain["body"].append(strings([instance.body for instance in instances]))
        for name in ("gateway", "frame"):
            self._keys[name].repeat("", len(instances))
        observed = np.array([instance.observed_at for instance in instances], np.int64)
        modified = np.array([instance.modified_at for instance in instances], np.int64)
        created = np.array([body.created_at for body in bodies], np.int64)
        deleted = np.array([instance.deleted for instance in instances], np.uint8)
        number = np.array([body.number for body in bodies], np.float64)
        zeros = np.zeros(len(instances), np.uint8)
        at = np.where(observed > 0, observed, modified)
        self._add_fixed((at, observed > 0, created, modified, number, zeros, deleted, zeros))
        texts = {row: body.text for row, body in enumerate(bodies) if body.text is not None}
        self._texts.append(optional(len(instances), texts))
        self.count += len(instances)

    def make(self, entities: Sequence[InstanceRows]) -> None:
        """Adds all instances of whole entities: what they share is looked up once an entity."""
        counts = np.array([len(one.layout[0]) for one in entities], np.int64)
        rows = int(counts.sum())
        for name in ("tenant", "entity", "type", "division"):
            keys = self._keys[name]
            keys.add(np.repeat(keys.codes([getattr(one, name) for one in entities]), counts))
        for place, name in enumerate(("attribute", "dataset_id", "unit")):
            self._keys[name].add(self._of_layouts(name, [one.layout[place] for one in entities]))
        self._plain["instance_id"] += [one.instance_ids for one in entities]
        self._plain["body"] += [one.bodies for one in entities]
        self._texts += [one.texts for one in entities]
        for name in ("gateway", "frame"):
            self._keys[name].repeat("", rows)
        observed = np.frombuffer(b"".join([one.observed_at for one in entities]), "<i8")
        number = np.frombuffer(b"".join([one.numbers for one in entities]), "<f8")
        modified = np.repeat(np.array([one.at for one in entities], np.int64), counts)
        created = np.array([us for one in entities for us in one.created_at], np.int64)
        zeros = np.zeros(rows, np.uint8)
        at = np.where(observed > 0, observed, modified)
        self._add_fixed((at, observed > 0, created, modified, number, zeros, zeros, zeros))
        self.count += rows

    def lay(self, sheet: InstanceSheet) -> None:
        """Adds a sheet, whose columns are laid out already."""
        entities, places = len(sheet.entities), len(sheet.layout[0])
        rows = entities * places
        self._keys["tenant"].repeat(sheet.tenant, rows)
        self._keys["type"].repeat(sheet.type, rows)
        for name, values in (("entity", sheet.entities), ("division", sheet.divisions)):
            keys = self._keys[name]
            keys.add(np.tile(keys.codes(values), places))
        for name, values in zip(("attribute", "dataset_id", "unit"), sheet.layout, strict=True):
            keys = self._keys[name]
            keys.add(np.repeat(keys.codes(values), entities))
        self._plain["instance_id"].append(sheet.instance_ids)
        self._plain["body"].append(sheet.bodies)
        self._texts.append(sheet.texts)
        for name in ("gateway", "frame"):
            self._keys[name].repeat("", rows)
        observed, number = np.frombuffer(sheet.observed_at, "<i8"), np.frombuffer(sheet.numbers, "<f8")
        modified = np.full(rows, sheet.at, np.int64)
        created = np.array(sheet.created_at, np.int64) if sheet.created_at else modified
        zeros = np.zeros(rows, np.uint8)
        at = np.where(observed > 0, observed, modified)
        self._add_fixed((at, observed > 0, created, modified, number, zeros, zeros, zeros))
        self.count += rows

    def _of_layouts(self, name: str, columns: Sequence[tuple[str, ...]]) -> Codes:
        known: dict[tuple[str, ...], Codes] = {}
        parts: list[Codes] = []
        for column in columns:
            codes = known.get(column)
            if codes is None:
                codes = known[column] = self._keys[name].codes(column)
            parts.append(codes)
        return np.concatenate(parts)

    def _add_fixed(self, arrays: Sequence[NDArray[Any]]) -> None:
        for (name, (_, kind)), values in zip(_FIXED.items(), arrays, strict=True):
            self._fixed[name].append(values.astype(kind, copy=False))

    def encode(self) -> bytes:
        """Returns all rows as one Native block."""
        columns: dict[str, Column] = {name: keys.column() for name, keys in self._keys.items()}
        columns |= {name: Plain(parts) for name, parts in self._plain.items()}
        for name, (kind, _) in _FIXED.items():
            columns[name] = Fixed(kind, np.concatenate(self._fixed[name]))
        columns["text"] = Sparse([missing for missing, _ in self._texts], [texts for _, texts in self._texts])
        return block(self.count, columns)


class _Body:
    """What the columns want of an instance's body."""

    def __init__(self, instance: Instance) -> None:
        members: dict[str, Any] = msgspec.json.decode(instance.body) if instance.body else {}
        created = members.get("createdAt")
        self.created_at = instant_us(created) if isinstance(created, str) else instance.modified_at
        self.unit, self.number, self.text = value_columns(members)


def value_columns(members: Mapping[str, Any]) -> tuple[str, float, str | None]:
    """Returns an instance's unit, its value as a number (NaN for others), and what is no number as text."""
    value = members.get("value")
    if value.__class__ in _NUMBERS:
        return members.get("unitCode", ""), float(value), None  # pyright: ignore[reportArgumentType]
    if isinstance(value, str):
        return members.get("unitCode", ""), _NAN, value
    value = members.get(VALUE_MEMBERS.get(members.get("type", ""), ""))
    if value is None:
        value = next((members[name] for name in _VALUES if name in members), None)
    unit = str(members.get("unitCode", ""))
    if isinstance(value, str):
        return unit, _NAN, value
    return unit, float(value) if isinstance(value, int | float) else _NAN, _text(value)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, int | float):
        return None
    return (
        value if isinstance(value, str) else msgspec.json.encode(cast("Any", value), order="sorted").decode()
    )


def encode(content: HistoryBlock) -> tuple[int, bytes]:
    """Returns how many rows the block has, and the rows in Native format."""
    rows = Rows()
    for batch in content.observations:
        rows.observe(batch)
    if content.instances:
        rows.write(content.instances)
    if content.entities:
        rows.make(content.entities)
    for sheet in content.sheets:
        rows.lay(sheet)
    return rows.count, rows.encode() if rows.count else b""

"""Entity types as tables: the format of ``model/*.toml``, read and checked.

A table file holds types, and terms that entities of every type may have::

    [[types]]
    name = "Reservoir"            # required; an NGSI-LD name
    zh = "水库"                    # required
    en = "Reservoir"              # required
    uri = "https://..."           # a Smart Data Models URI where one fits; else https://w3id.org/yunmeng/<name>
    standard = "SL 651-2014"      # where the type comes from

    [[types.attributes]]
    name = "waterLevel"           # required
    kind = "Property"             # Property, GeoProperty, Relationship, LanguageProperty, VocabProperty, ...
    datatype = "number"           # number, integer, string, boolean, datetime, date, geometry, object, any
    unit = "MTR"                  # UN/CEFACT code
    min = 0                       # closed range of the values that are plausible
    max = 200
    values = ["open", "closed"]   # closed set of values
    target = "River"              # type that a Relationship points to
    zh = "水位"                    # required
    en = "Water level"            # required
    grade = 1                     # classification grade, 1 public to 4 core (GB/T 43697-2024)
    telemetry = true              # comes as observations, not as writes
    indexed = true                # questions ask for its values: they are indexed from the start of the node
    required = true               # an entity without it is not whole
    standard = "https://..."      # where the attribute is defined
    uri = "https://..."           # else the core context's, else https://w3id.org/yunmeng/<name>

    [[terms]]                     # same keys as attributes

All names share one namespace: a name that several tables use must mean the same URI in all of them.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from yunmeng.kernel.base import BadInput, Broken, unit
from yunmeng.kernel.model.contexts import Context
from yunmeng.kernel.model.core_context import DEFAULT_VOCAB
from yunmeng.kernel.model.vocabulary import NAMESPACE

Kind = Literal[
    "Property",
    "GeoProperty",
    "Relationship",
    "LanguageProperty",
    "VocabProperty",
    "JsonProperty",
    "ListProperty",
    "ListRelationship",
]
Datatype = Literal["number", "integer", "string", "boolean", "datetime", "date", "geometry", "object", "any"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_PLACE = re.compile(r"`\$(?:\.(\w+)\[(\d+)\])?(?:\.attributes\[(\d+)\])?")


class AttributeRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One attribute as its table states it; ``uri`` is always filled after reading."""

    name: str
    zh: str
    en: str
    kind: Kind = "Property"
    datatype: Datatype = "any"
    unit: str = ""
    min: float | None = None
    max: float | None = None
    values: tuple[str | int | float, ...] = ()
    target: str = ""
    grade: int = 1
    telemetry: bool = False
    indexed: bool = False
    required: bool = False
    standard: str = ""
    uri: str = ""


class EntityType(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entity type as its table states it; ``uri`` is always filled after reading."""

    name: str
    zh: str
    en: str
    uri: str = ""
    standard: str = ""
    attributes: tuple[AttributeRow, ...] = ()

    def attribute(self, name: str) -> AttributeRow | None:
        """Returns the attribute of this name."""
        return next((row for row in self.attributes if row.name == name), None)


class TypeTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one file states."""

    types: tuple[EntityType, ...] = ()
    terms: tuple[AttributeRow, ...] = ()


def read_table(file: Path, core: Context) -> TypeTable:
    """Reads and checks one table. Raises ``Broken("types.bad")`` naming file, row and reason."""
    try:
        raw: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise Broken("types.bad", file=str(file), row="-", reason=str(cause)) from cause
    try:
        table = msgspec.convert(raw, TypeTable)
    except msgspec.ValidationError as cause:
        row = _row_of(str(cause), raw)
        raise Broken("types.bad", file=str(file), row=row, reason=str(cause)) from cause
    for row, reason in _faults(table):
        raise Broken("types.bad", file=str(file), row=row, reason=reason)
    return TypeTable(
        tuple(_with_uris(type_, core) for type_ in table.types),
        tuple(_with_uri(term, core) for term in table.terms),
    )


def _with_uris(type_: EntityType, core: Context) -> EntityType:
    attributes = tuple(_with_uri(row, core) for row in type_.attributes)
    uri = type_.uri or NAMESPACE + type_.name
    return msgspec.structs.replace(type_, uri=uri, attributes=attributes)


def _with_uri(row: AttributeRow, core: Context) -> AttributeRow:
    # the core context wins (§5.5.7), so a term that it defines cannot mean anything else
    known = core.expand(row.name)
    if not known.startswith(DEFAULT_VOCAB):
        return msgspec.structs.replace(row, uri=known)
    return row if row.uri else msgspec.structs.replace(row, uri=NAMESPACE + row.name)


def _row_of(message: str, raw: dict[str, Any]) -> str:
    """Names the row that a message of msgspec is about: ``Reservoir.waterLevel``."""
    found = _PLACE.search(message)
    if found is None or found[1] is None:
        return "-"
    row = raw[found[1]][int(found[2])]
    names = [str(row.get("name", f"{found[1]}[{found[2]}]"))]
    if found[3] is not None:
        attribute = row["attributes"][int(found[3])]
        names.append(str(attribute.get("name", f"attributes[{found[3]}]")))
    return ".".join(names)


def _faults(table: TypeTable) -> Iterator[tuple[str, str]]:
    for term in table.terms:
        yield from _row_faults(term.name, term)
    seen: set[str] = set()
    for type_ in table.types:
        if not _NAME.match(type_.name):
            yield type_.name, "`name` is no NGSI-LD name"
        if type_.name in seen:
            yield type_.name, "the type is stated twice"
        seen.add(type_.name)
        names = [row.name for row in type_.attributes]
        for row in type_.attributes:
            place = f"{type_.name}.{row.name}"
            if names.count(row.name) > 1:
                yield place, "the attribute is stated twice"
            yield from _row_faults(place, row)


def _row_faults(place: str, row: AttributeRow) -> Iterator[tuple[str, str]]:
    if not _NAME.match(row.name):
        yield place, "`name` is no NGSI-LD name"
    if row.min is not None and row.max is not None and row.min > row.max:
        yield place, "`min` is above `max`"
    if not 1 <= row.grade <= 4:
        yield place, "`grade` lies outside 1 to 4"
    if (row.min is not None or row.max is not None or row.unit) and row.datatype not in ("number", "integer"):
        yield place, "`min`, `max` and `unit` go with numbers only"
    if row.kind == "GeoProperty" and row.datatype not in ("geometry", "any"):
        yield place, "`datatype` of a GeoProperty is geometry"
    if row.target and row.kind not in ("Relationship", "ListRelationship"):
        yield place, "`target` goes with relationships only"
    if row.unit:
        try:
            unit(row.unit)
        except BadInput as cause:
            yield place, str(cause)

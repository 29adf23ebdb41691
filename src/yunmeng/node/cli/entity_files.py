"""Entities as people keep them in files: JSON, JSON lines, GeoJSON, CSV."""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec

from yunmeng.client import Entity, from_features, geo
from yunmeng.kernel.base import BadInput, make_urn

_PLACE = ("longitude", "latitude")


def read_entities(file: Path, type: str = "") -> Iterator[Entity]:
    """Yields the entities of a file; ``-`` is standard input, ``type`` that of rows that name none.

    Raises:
        BadInput: ``cli.entities`` with the line, ``client.entity``.
    """
    text = _text(file)
    if text.lstrip()[:1] in ("{", "["):
        yield from _of_json(text, file, type)
    else:
        yield from _of_csv(text, file, type)


def read_fragment(text: str) -> dict[str, Any]:
    """Reads a JSON object given on the command line, or from standard input with ``-``.

    Raises:
        BadInput: ``cli.fragment``.
    """
    try:
        return msgspec.json.decode(_text(Path("-")) if text == "-" else text, type=dict[str, Any])
    except msgspec.MsgspecError as cause:
        raise BadInput("cli.fragment", reason=str(cause)) from cause


def _text(file: Path) -> str:
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        raise BadInput("cli.entities", file=file, line=1, reason=str(cause)) from cause


def _of_json(text: str, file: Path, type: str) -> Iterator[Entity]:
    try:
        whole = msgspec.json.decode(text)
    except msgspec.DecodeError as cause:
        lines = [line for line in enumerate(text.splitlines(), 1) if line[1].strip()]
        if len(lines) < 2 or not _complete(lines[0][1]):
            raise BadInput("cli.entities", file=file, line=1, reason=str(cause)) from cause
        yield from _of_lines(lines, file, type)
        return
    for item in cast("list[Any]", whole if isinstance(whole, list) else [whole]):
        yield from _of_object(item, file, 1, type)


def _of_lines(lines: list[tuple[int, str]], file: Path, type: str) -> Iterator[Entity]:
    for number, line in lines:
        try:
            item = msgspec.json.decode(line)
        except msgspec.DecodeError as cause:
            raise BadInput("cli.entities", file=file, line=number, reason=str(cause)) from cause
        yield from _of_object(item, file, number, type)


def _complete(line: str) -> bool:
    try:
        msgspec.json.decode(line)
    except msgspec.DecodeError:
        return False
    return True


def _of_object(item: object, file: Path, line: int, type: str) -> Iterator[Entity]:
    if not isinstance(item, dict):
        raise BadInput("cli.entities", file=file, line=line, reason=f"{str(item)[:60]} is no object")
    entity = cast("Entity", item)
    if entity.get("type") in ("FeatureCollection", "Feature") and "id" not in entity.get("properties", {}):
        yield from from_features(entity, type)
    else:
        yield {"type": type, **entity} if type else entity


def _of_csv(text: str, file: Path, type: str) -> Iterator[Entity]:
    rows = csv.DictReader(text.splitlines())
    names = rows.fieldnames or []
    if "id" not in names or ("type" not in names and not type):
        reason = f"the header is {', '.join(names)[:80]}; it needs id and type"
        raise BadInput("cli.entities", file=file, line=1, reason=reason)
    for row in rows:
        if None in row:
            raise BadInput("cli.entities", file=file, line=rows.line_num, reason="more cells than headings")
        try:
            yield _of_row(row, type)
        except (ValueError, BadInput) as cause:
            raise BadInput("cli.entities", file=file, line=rows.line_num, reason=str(cause)) from cause


def _of_row(row: dict[str, str | None], type: str) -> Entity:
    cells = {name: cell.strip() for name, cell in row.items() if cell and cell.strip()}
    kind = cells.pop("type", type)
    id_ = cells.pop("id", "")
    entity: Entity = {"id": id_ if ":" in id_ else make_urn(kind, id_), "type": kind}
    if all(name in cells for name in _PLACE):
        longitude, latitude = (float(cells.pop(name)) for name in _PLACE)
        entity["location"] = geo((longitude, latitude))
    return {**entity, **{name: _value(cell) for name, cell in cells.items()}}


def _value(cell: str) -> object:
    """Returns a number, a truth or an object where the cell writes one as JSON, else the text itself."""
    try:
        return msgspec.json.decode(cell)
    except msgspec.DecodeError:
        return cell

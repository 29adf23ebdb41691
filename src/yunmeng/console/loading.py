"""Reads and checks ``views.toml``: an error names file, line, what is wrong and the nearest good name."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec

from yunmeng.console.lines import line_of, steps
from yunmeng.console.views import Chart, Detail, Form, Item, Layer, Page, Table, Tile, ViewFile, Views
from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model import TypeLibrary

_AT = re.compile(r" - at `(?P<path>[^`]+)`")
_UNKNOWN = re.compile(r"unknown field `(?P<name>[^`]*)`")
_VALUE = re.compile(r"Invalid enum value '(?P<name>[^']*)'")
_TOML_LINE = re.compile(r"line (\d+)")
# what every entity may be called, whatever its table states
_NAMES = frozenset(("name", "nameEn"))
_PARTS = ("pages", "layers", "tiles", "charts", "tables", "forms", "details")

_Placed = TypeVar("_Placed", Page, Layer, Tile, Chart, Table, Form, Detail)


def bad(file: Path, line: int, what: str, name: str = "", known: Iterable[str] = ()) -> BadInput:
    """Makes the one error of this contract; ``nearest`` is the likeliest known name, or all."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, 1, 0.5)
    return BadInput(
        "console.views.bad", file=str(file), line=line, what=what, nearest=", ".join(close or names) or "-"
    )


def load_file(file: Path) -> ViewFile:
    """Reads one ``views.toml``; raises ``BadInput("console.views.bad")`` with file and line."""
    text = file.read_text(encoding="utf-8")
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _TOML_LINE.search(str(error))
        raise bad(file, int(found.group(1)) if found else len(text.splitlines()), str(error)) from error
    try:
        views = msgspec.convert(raw, ViewFile)
    except msgspec.ValidationError as error:
        raise _translated(file, text, str(error)) from error
    _check_sense(file, text, views)
    return views


def load_views(folders: Mapping[str, Path]) -> Views:
    """Reads the ``views.toml`` of every package folder that has one, and orders the items.

    Raises ``BadInput("console.views.bad")``, also when two items share an id or one opens what is not there.
    """
    files = {
        name: folder / "views.toml" for name, folder in folders.items() if (folder / "views.toml").is_file()
    }
    read = {name: load_file(file) for name, file in files.items()}
    package = _owners(files, read)
    views = Views(
        pages=_ordered(page for one in read.values() for page in one.pages),
        layers=_ordered(item for one in read.values() for item in one.layers),
        tiles=_ordered(item for one in read.values() for item in one.tiles),
        charts=_ordered(item for one in read.values() for item in one.charts),
        tables=_ordered(item for one in read.values() for item in one.tables),
        forms=_ordered(item for one in read.values() for item in one.forms),
        details=_ordered(item for one in read.values() for item in one.details),
        package=package,
    )
    for name, file in files.items():
        _check_links(file, read[name], views)
    return views


def check_names(folders: Mapping[str, Path], library: TypeLibrary) -> None:
    """Checks that the views name types and attributes that the type tables state.

    Raises ``BadInput("console.views.bad")`` with the nearest name.
    """
    for folder in folders.values():
        file = folder / "views.toml"
        if file.is_file():
            _check_file(file, load_file(file), library)


def _check_file(file: Path, views: ViewFile, library: TypeLibrary) -> None:
    text = file.read_text(encoding="utf-8")
    for part, number, item in _items(views):
        name = getattr(item, "type", "")
        if not name:
            continue
        if name not in library.types:
            where = line_of(text, [part, number, "type"])
            raise bad(file, where, f"type {name!r} is not known", name, library.types)
        known = _NAMES | {row.name for row in library.types[name].attributes} | library.terms.keys()
        for attribute in _named(item):
            if attribute not in known:
                where = line_of(text, [part, number, _where(item)])
                raise bad(file, where, f"{name} has no attribute {attribute!r}", attribute, known)


def _where(item: Item) -> str:
    if isinstance(item, Detail):
        return "type"
    return "columns" if isinstance(item, Table) else "attribute"


def _named(item: Item) -> list[str]:
    if isinstance(item, Table):
        return [column.attribute for column in item.columns] + [item.sort.removeprefix("-") or "division"]
    if isinstance(item, Detail):
        return _named_by(item)
    attribute = getattr(item, "attribute", "")
    return [attribute] if attribute else []


def _named_by(detail: Detail) -> list[str]:
    """Returns the attributes of its own type that a detail names."""
    named = [*detail.people, *(fact.attribute for fact in detail.facts)]
    if detail.gauge:
        named += [detail.gauge.attribute, *(mark.attribute for mark in detail.gauge.marks)]
    for fact in detail.facts:
        named += [fact.curve.attribute, fact.curve.at] if fact.curve else []
    for trend in detail.trends:
        named += [*trend.attributes, *([trend.limit] if trend.limit else [])]
    if detail.neighbours:
        named += [one for one in (detail.neighbours.attribute, detail.neighbours.hours) if one]
    return named


def _ordered(items: Iterable[_Placed]) -> tuple[_Placed, ...]:
    return tuple(sorted(items, key=lambda item: item.order))


def _translated(file: Path, text: str, message: str) -> BadInput:
    """Turns a msgspec message into ours: its path becomes a line, a near miss gets a suggestion."""
    found = _AT.search(message)
    path = steps(found.group("path")) if found else []
    what = _AT.sub("", message).replace("Object", "Table")
    unknown, value = _UNKNOWN.search(message), _VALUE.search(message)
    if unknown:
        name = unknown.group("name")
        return bad(file, line_of(text, [*path, name]), what, name, _fields(path))
    if value:
        return bad(file, line_of(text, path), what, value.group("name"), _choices(path))
    return bad(file, line_of(text, path), what)


def _walk(path: list[str | int]) -> Any:
    """Returns the annotation that a path leads to."""
    at: Any = ViewFile
    for step in path:
        if isinstance(step, int):
            at = get_args(at)[0]
            continue
        structs = [
            one for one in (at, *get_args(at)) if isinstance(one, type) and issubclass(one, msgspec.Struct)
        ]
        names = {field.encode_name: field.name for one in structs for field in msgspec.structs.fields(one)}
        if not structs or step not in names:
            return at
        at = get_type_hints(structs[0])[names[step]]
    return at


def _fields(path: list[str | int]) -> list[str]:
    at = _walk(path)
    structs = [
        one for one in (at, *get_args(at)) if isinstance(one, type) and issubclass(one, msgspec.Struct)
    ]
    return [field.encode_name for one in structs for field in msgspec.structs.fields(one)]


def _choices(path: list[str | int]) -> list[str]:
    return [str(choice) for choice in get_args(_walk(path))]


def _items(views: ViewFile) -> Iterator[tuple[str, int, Item]]:
    for part in _PARTS[1:]:
        for number, item in enumerate(getattr(views, part)):
            yield part, number, item


def _check_sense(file: Path, text: str, views: ViewFile) -> None:
    """Checks what the types alone cannot say."""
    for number, layer in enumerate(views.layers):
        if layer.kind != "outlines" and not layer.type:
            raise bad(file, line_of(text, ["layers", number]), f"layer {layer.id!r} needs a type")
        if list(layer.stops) != sorted(set(layer.stops)):
            raise bad(file, line_of(text, ["layers", number, "stops"]), "stops must rise")
    measured = [*enumerate(views.tiles), *enumerate(views.charts)]
    for part, (number, item) in zip(
        ["tiles"] * len(views.tiles) + ["charts"] * len(views.charts), measured, strict=True
    ):
        if not item.attribute and item.method != "count":
            raise bad(
                file, line_of(text, [part, number]), f'{item.id!r} needs an attribute, or method = "count"'
            )
    for number, tile in enumerate(views.tiles):
        if tile.where and tile.method != "count":
            raise bad(
                file, line_of(text, ["tiles", number, "where"]), 'where goes with method = "count" only'
            )
    for number, table in enumerate(views.tables):
        if not table.columns:
            raise bad(file, line_of(text, ["tables", number]), f"table {table.id!r} has no columns")


def _owners(files: Mapping[str, Path], read: Mapping[str, ViewFile]) -> dict[str, str]:
    owners: dict[str, str] = {}
    for name, views in read.items():
        for part, number, item in _items(views):
            key = f"{part}/{item.id}"
            if key in owners:
                what = f"id {item.id!r} is taken by package {owners[key]!r}"
                raise bad(files[name], line_of(files[name].read_text("utf-8"), [part, number, "id"]), what)
            owners[key] = name
    return owners


def _check_links(file: Path, views: ViewFile, everything: Views) -> None:
    """Checks that pages, charts, tables and schema files that are named are there."""
    text = file.read_text(encoding="utf-8")
    pages = {page.id for page in everything.pages} | {"overview"}
    for part, number, item in _items(views):
        if item.page not in pages:
            raise bad(
                file,
                line_of(text, [part, number, "page"]),
                f"page {item.page!r} is not there",
                item.page,
                pages,
            )
    targets = {
        "chart": {chart.id for chart in everything.charts},
        "table": {one.id for one in everything.tables},
    }
    for number, tile in enumerate(views.tiles):
        for field, known in targets.items():
            wanted = getattr(tile, field)
            if wanted and wanted not in known:
                raise bad(
                    file,
                    line_of(text, ["tiles", number, field]),
                    f"{field} {wanted!r} is not there",
                    wanted,
                    known,
                )
    for number, form in enumerate(views.forms):
        if not (file.parent / form.schema).is_file():
            raise bad(file, line_of(text, ["forms", number, "schema"]), f"file {form.schema!r} is not there")

"""Tables of the register: CSV with one type, Excel with a sheet a type; headings in English or Chinese."""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any

from yunmeng.kernel.base import BadInput, nearest
from yunmeng.kernel.model import TypeLibrary

Rows = dict[str, list[dict[str, Any]]]
"""Rows by type name; a row maps attribute names (and id, code, longitude, latitude, division) to values."""

CURVES = "curves"
"""The sheet of curves: one row a point, with ``code`` and level, storage, area, discharge, spill."""
CURVE_COLUMNS = ("code", "level", "storage", "area", "discharge", "spill")

_COMMON = {
    "id": "id",
    "code": "code",
    "编码": "code",
    "name": "name",
    "名称": "name",
    "nameEn": "nameEn",
    "英文名称": "nameEn",
    "division": "division",
    "行政区划": "division",
    "行政区划代码": "division",
    "longitude": "longitude",
    "经度": "longitude",
    "latitude": "latitude",
    "纬度": "latitude",
}
_CURVE_LABELS = {
    "水位": "level",
    "库容": "storage",
    "蓄水量": "storage",
    "面积": "area",
    "泄量": "discharge",
    "泄流量": "discharge",
    "自由溢流": "spill",
}
_SHEET_CURVES = {CURVES, "曲线", "水位库容曲线"}
_MOST_ROWS = 200_000
_MOST_COLUMNS = 500
_MOST_BYTES = 512 << 20
_DECODED = ("utf-8-sig", "gb18030")


def decode_csv(data: bytes) -> str:
    """Returns the text of a CSV file: UTF-8, or GB 18030, in which Excel saves in China.

    Raises:
        BadInput: ``water.sheet`` when it is neither.
    """
    for encoding in _DECODED:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadInput("water.sheet", sheet="CSV", reason="UTF-8, GB 18030")


def read_csv(text: str, type_: str, library: TypeLibrary) -> Rows:
    """Reads a CSV table of one type (or of ``curves``).

    Raises:
        BadInput: ``water.sheet`` for a table without rows or with a line of the wrong length,
        ``water.column`` for a
            heading that the type does not know, with the nearest.
    """
    try:
        lines = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    except csv.Error as cause:
        raise BadInput("water.sheet", sheet=type_ or "CSV", reason=str(cause)) from cause
    return {type_: _table(lines, type_, type_, library)}


def read_excel(data: bytes, library: TypeLibrary) -> Rows:
    """Reads a workbook (.xlsx); a sheet is named after a type (or its Chinese name), or is ``curves`` 曲线.

    Raises:
        BadInput: ``water.sheet`` for what is no workbook or a sheet of no type; ``water.column`` as
        :func:`read_csv`.
    """
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        _check_size(data)
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError, SyntaxError) as cause:
        raise BadInput("water.sheet", sheet=".xlsx", reason=str(cause)) from cause
    names = {type_.zh: name for name, type_ in library.types.items()} | {name: name for name in library.types}
    rows: Rows = {}
    for sheet in book.worksheets:
        title = str(sheet.title).strip()
        type_ = CURVES if title in _SHEET_CURVES else names.get(title)
        if type_ is None:
            raise BadInput(
                "water.sheet", sheet=title, reason=nearest(title, names) or ", ".join(sorted(names))
            )
        lines = list(_lines(title, sheet.iter_rows(values_only=True)))
        rows[type_] = _table(lines, title, type_, library)
    return rows


def _lines(title: str, sheet: Iterable[Sequence[Any]]) -> Iterator[list[Any]]:
    for line in islice(sheet, _MOST_ROWS + 1):
        if len(line) > _MOST_COLUMNS:
            raise BadInput("water.sheet", sheet=title, reason=f"{len(line)} > {_MOST_COLUMNS} columns")
        yield ["" if cell is None else cell for cell in line]


def _check_size(data: bytes) -> None:
    """Refuses a small file that unpacks to a huge one."""
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        size = sum(each.file_size for each in packed.infolist())
    if size > _MOST_BYTES:
        raise BadInput("water.sheet", sheet=".xlsx", reason=f"{size} > {_MOST_BYTES} bytes")


def write_csv(rows: Sequence[Mapping[str, Any]], columns: Iterable[str] = ()) -> str:
    """Returns rows of one type as CSV (UTF-8 with a byte-order mark, so that Excel shows Chinese)."""
    names = list(columns) or _columns(rows)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in names])
    return "\ufeff" + out.getvalue()


def write_excel(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> bytes:
    """Returns rows as a workbook with a sheet a type."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    book = Workbook(write_only=True)

    def cell(sheet: Any, value: Any) -> Any:
        plain = _cell(value)
        if not isinstance(plain, str):
            return plain
        made = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", plain))
        # a name that begins with = is a name: nothing of the register is ever run
        made.data_type = "s"
        return made

    for type_, each in rows.items():
        sheet = book.create_sheet(type_)
        names = _columns(each)
        sheet.append(names)
        for row in each:
            sheet.append([cell(sheet, row.get(name)) for name in names])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _table(
    lines: Sequence[Sequence[Any]], sheet: str, type_: str, library: TypeLibrary
) -> list[dict[str, Any]]:
    filled = [
        (number, line) for number, line in enumerate(lines, 1) if any(str(cell).strip() for cell in line)
    ]
    if len(filled) < 2:
        raise BadInput("water.sheet", sheet=sheet, reason="no rows")
    if len(lines) > _MOST_ROWS:
        raise BadInput("water.sheet", sheet=sheet, reason=f"> {_MOST_ROWS} rows")
    heading = [_column(str(cell).strip(), sheet, type_, library) for cell in filled[0][1]]
    if len(set(heading)) < len(heading):
        twice = next(name for name in heading if heading.count(name) > 1)
        raise BadInput("water.sheet", sheet=sheet, reason=f"column {twice} twice")
    return [_row(heading, line, number, sheet) for number, line in filled[1:]]


def _row(heading: Sequence[str], line: Sequence[Any], number: int, sheet: str) -> dict[str, Any]:
    if len(line) > len(heading) and any(str(cell).strip() for cell in line[len(heading) :]):
        raise BadInput(
            "water.sheet", sheet=sheet, reason=f"row {number}: {len(line)} cells, {len(heading)} columns"
        )
    row = {name: _read(cell) for name, cell in zip(heading, line, strict=False)}
    return {name: value for name, value in row.items() if value is not None} | {"row": number}


def _column(text: str, sheet: str, type_: str, library: TypeLibrary) -> str:
    if type_ == CURVES:
        known = {name: name for name in CURVE_COLUMNS} | _CURVE_LABELS | _COMMON
    else:
        attributes = library.type(type_).attributes
        known = (
            _COMMON | {row.zh: row.name for row in attributes} | {row.name: row.name for row in attributes}
        )
    if text not in known:
        raise BadInput("water.column", sheet=sheet, column=text, nearest=nearest(text, known) or "-")
    return known[text]


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    first = ("id", "code", "name", "division", "longitude", "latitude")
    seen = dict.fromkeys(name for row in rows for name in row)
    return [name for name in first if name in seen] + [name for name in seen if name not in first]


def _read(cell: Any) -> Any:
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    if isinstance(cell, str):
        return cell.strip() or None
    return cell


def _cell(value: Any) -> Any:
    import msgspec

    return msgspec.json.encode(value).decode() if isinstance(value, dict | list | tuple) else value

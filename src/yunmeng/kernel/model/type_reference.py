"""The reference of entity types, as Markdown."""

from collections.abc import Iterable

from yunmeng.kernel.base import unit
from yunmeng.kernel.model.type_tables import AttributeRow, EntityType

_HEADS = {
    True: ("Attribute", "Name", "Kind", "Values", "Unit", "Grade", "URI"),
    False: ("属性", "名称", "种类", "取值", "单位", "级别", "URI"),
}


def reference(types: Iterable[EntityType], terms: Iterable[AttributeRow], *, english: bool) -> str:
    """Returns one section for the common terms and one for each type, in Chinese unless ``english``."""
    parts = ["# Entity types" if english else "# 实体类型"]
    parts += ["## Common attributes" if english else "## 通用属性", _table(terms, english=english)]
    for type_ in types:
        parts += [f"## {type_.name} {type_.en if english else type_.zh}", f"<{type_.uri}>"]
        if type_.standard:
            parts.append(f"{'Standard: ' if english else '标准：'}{type_.standard}")
        parts.append(_table(type_.attributes, english=english))
    return "\n\n".join(parts) + "\n"


def _table(rows: Iterable[AttributeRow], *, english: bool) -> str:
    head = _HEADS[english]
    lines = [_line(head), _line(["---"] * len(head))]
    lines += [_line(_cells(row, english=english)) for row in rows]
    return "\n".join(lines)


def _cells(row: AttributeRow, *, english: bool) -> tuple[str, ...]:
    return (
        f"`{row.name}`",
        row.en if english else row.zh,
        f"{row.kind} → {row.target}" if row.target else row.kind,
        _values(row),
        f"{unit(row.unit).symbol} ({row.unit})" if row.unit else "",
        str(row.grade),
        f"<{row.uri}>",
    )


def _values(row: AttributeRow) -> str:
    if row.values:
        return ", ".join(str(value) for value in row.values)
    if row.min is None and row.max is None:
        return row.datatype
    low = "" if row.min is None else f"{row.min:g}"
    high = "" if row.max is None else f"{row.max:g}"
    return f"{row.datatype} {low}..{high}"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

"""How the command line speaks: tables for people, JSON lines for programs, errors that say what to do."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from yunmeng.kernel.base import YunmengError, problem

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

_Command = TypeVar("_Command", bound=Callable[..., object])


def as_json(command: _Command) -> _Command:
    """Adds ``--json`` to a command."""
    return click.option("--json", "json_", is_flag=True, help="Print JSON for programs.")(command)


def show(
    rows: Iterable[Mapping[str, object]],
    columns: Sequence[tuple[str, str]],
    *,
    json_: bool,
    title: str = "",
    styles: Mapping[str, str] | None = None,
) -> None:
    """Prints rows: as a table with ``columns`` of (key, heading), or as one JSON array."""
    if json_:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(list(rows))).decode() + "\n")
        return
    table = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for key, heading in columns:
        table.add_column(heading, overflow="fold", style=(styles or {}).get(key))
    for row in rows:
        table.add_row(*(_cell(row.get(key)) for key, _ in columns))
    out.print(table)


def show_json(value: object) -> None:
    """Prints one value as indented JSON."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")


def report(error: YunmengError) -> None:
    """Tells an error in both languages, with the way out."""
    # what a node has said already comes in one language
    for told in dict.fromkeys(problem(error, lang) for lang in ("zh-CN", "en")):
        err.print(Text.assemble((told.title, "bold red"), "  ", told.detail))
        if told.remedy:
            err.print(Text.assemble(("→ ", "green"), told.remedy))
    err.print(Text(error.key, style="dim"))


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()

"""Reference pages made from tables: settings, errors, entity types, coverage of the plan."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import yunmeng
from yunmeng.kernel.base import Secret, Settings, YunmengError, catalogue, explain, label, packages
from yunmeng.kernel.base.sections import Sections
from yunmeng.kernel.serve import refusals
from yunmeng.node.parts import type_library
from yunmeng.plan import coverage

MADE = "<!-- Made by docs/build.py from the code; do not edit. -->\n\n"

_SOURCE = Path(yunmeng.__file__).parent
# what no HTTP answer carries as its status: it stands inside one, in a record, or in a report
_INSIDE = {
    "attribute.exists": "207",
    "http.refused": "4xx",
    "job.broke": "run",
    "job.died": "run",
    "job.interrupted": "run",
    "observation.future": "quarantine",
    "observation.past": "quarantine",
}

_NAMED = {"contexts": ("url", "path"), "gateways": ("name", "text"), "schedule": ("job", "text")}
"""Sections whose keys are names of one's own."""


def pages() -> dict[str, str]:
    """Returns the pages by file name."""
    library = type_library()
    return {
        "settings.md": MADE + _settings(),
        "errors.md": MADE + _errors(),
        "entity-types.md": MADE + library.reference("en"),
        "entity-types.zh-CN.md": MADE + library.reference("zh-CN"),
    }


@cache
def covered() -> str:
    """Returns how many of the plan's systems have an implementation with a proof."""
    found = coverage(packages())
    return f"{found.implemented} / {len(found.rows)}"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Returns a Markdown table."""
    columns = list(head)
    lines = [columns, ["---"] * len(columns), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    text = "\n".join(f"| {' | '.join(' '.join(cell.split()) for cell in line)} |" for line in lines)
    return text.replace("``", "`")


def _settings() -> str:
    parts = [
        "# Settings 设置",
        "Each value is taken from the last of these that states it: the default, the profile of a tier "
        "(`--profile province|city|county`), the file `yunmeng.toml`, the environment, the command line "
        "(`--set section.key=value`). The variable of `http.port` is `YUNMENG__HTTP__PORT`, and so on. "
        "`yunmeng config show` prints every value and where it came from; a key that does not exist is an "
        "error that names the nearest one. A secret is never a value but a reference: `env:NAME` or "
        "`file:/path`.",
    ]
    words = {row.key: (row.about, row.value) for row in explain(Settings(), "zh-CN")}
    for section, kind in get_type_hints(Sections).items():
        if section in _NAMED:
            continue
        rows = []
        for each in fields(kind):
            key = f"{section}.{each.name}"
            about, default = words[key]
            values = _values(get_type_hints(kind)[each.name], each.metadata)
            shown = f"`{default}`" if default else ""
            rows.append((f"`{key}`", shown, values, about, label(f"settings.{key}", "en")))
        parts += [f"## {section}", table(("Key", "Default", "Values", "中文", "English"), rows)]
    for section, (name, value) in _NAMED.items():
        row = (
            f"`{section}.<{name}>`",
            "",
            value,
            *(label(f"settings.{section}", la) for la in ("zh-CN", "en")),
        )
        parts += [f"## {section}", table(("Key", "Default", "Values", "中文", "English"), [row])]
    return "\n\n".join(parts) + "\n"


def _values(kind: Any, bounds: Mapping[str, Any]) -> str:
    if choices := get_args(kind):
        return ", ".join(f"`{choice}`" for choice in choices)
    names = {Path: "path", Secret: "reference", str: "text", bool: "`true`, `false`", int: "", float: ""}
    if "low" not in bounds:
        return names[kind]
    high = bounds["high"]
    return f"{bounds['low']}..{'' if high == float('inf') else high}"


def _errors() -> str:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for key in error_keys():
        groups[key.partition(".")[0]].append(key)
    statuses = _statuses()
    parts = [
        "# Errors 错误",
        "Every error has a key that stays, and words in both languages. Over HTTP it is a problem document "
        "(RFC 9457): `type` is `urn:yunmeng:error:<key>`, on the NGSI-LD paths the error type of ETSI "
        "GS CIM 009 with our `key` beside it. On the command line it ends with status 1. "
        "`{…}` are facts that the error carries. Where no status stands, the error is a part of something "
        "else: `207` of a multi-status answer, `quarantine` of a quarantine record, `run` of a job's run, "
        "`report` of a report.",
    ]
    for group, keys in sorted(groups.items()):
        rows = [
            (f"`{key}`", statuses.get(key, "report"), _words(key, "zh-CN"), _words(key, "en")) for key in keys
        ]
        parts += [f"## {group}", table(("Key", "Status", "中文", "English"), rows)]
    return "\n\n".join(parts) + "\n"


def error_keys() -> list[str]:
    """Returns every error that has words."""
    names = (name.removeprefix("errors.") for name in catalogue("en") if name.startswith("errors."))
    return sorted({name.rpartition(".")[0] for name in names})


def _words(key: str, lang: str) -> str:
    words = catalogue(lang)
    title, detail, remedy = (words.get(f"errors.{key}.{part}", "") for part in ("title", "detail", "remedy"))
    return " ".join(part for part in (f"**{title}**", detail, f"→ {remedy}" if remedy else "") if part)


def _statuses() -> dict[str, str]:
    """Finds with which HTTP status each key is raised, by reading the code."""
    known = set(error_keys())
    # the edge's own refusals are classes of that module, known once it is imported
    edge = [kind for kind in vars(refusals).values() if isinstance(kind, type)]
    kinds = {kind.__name__: kind.status for kind in (*_kinds(YunmengError), *edge) if hasattr(kind, "status")}
    found: defaultdict[str, set[int]] = defaultdict(set)
    for file in sorted(_SOURCE.rglob("*.py")):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call):
                for key, status in _raised(call, kinds, file):
                    if key in known:
                        found[key].add(status)
    statuses = {key: ", ".join(map(str, sorted(each))) for key, each in found.items()}
    return {**statuses, **_INSIDE}


def _raised(call: ast.Call, kinds: Mapping[str, int], file: Path) -> Iterator[tuple[str, int]]:
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    values = [each.value for each in call.args if isinstance(each, ast.Constant)]
    texts = [value for value in values if isinstance(value, str)]
    if name in kinds:
        yield from ((text, kinds[name]) for text in texts[:1])
    elif name == "refused":
        # an outcome of the keeper: the id, the key, the status
        yield from ((text, value) for text in texts for value in values if isinstance(value, int))
    elif file.name in ("q.py", "selection.py"):
        # the reader of expressions raises BadInput with the key that it is given
        yield from ((text, kinds["BadInput"]) for text in texts)


def _kinds(kind: type[YunmengError]) -> Iterator[type[YunmengError]]:
    for each in kind.__subclasses__():
        # what the client raises is no answer of ours, and known only where somebody has imported it
        if not each.__module__.startswith("yunmeng.client"):
            yield each
            yield from _kinds(each)

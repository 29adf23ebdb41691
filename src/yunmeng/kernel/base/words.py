"""Every word that a person reads, in Chinese (the source language) and English, from the ``words`` tables.

A table is ``words/zh-CN.toml`` or ``words/en.toml`` in a folder of yunmeng or of a registered package::

    [errors."bus.full"]
    title = "The bus is full"
    detail = "Stream {stream} holds {bytes} bytes and may not grow."
    remedy = "Raise `bus.max_bytes` or let the consumers catch up."

    [labels]
    "tier.province" = "Province"

    [console.tiles]
    power = "Installed power"       # the label "console.tiles.power"

``{name}`` is filled with a fact; ``{{`` and ``}}`` are braces. Facts come from outside, so they are shown
without control characters and cut when long; a fact that is missing shows as ``?``.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

from yunmeng.kernel.base.errors import Broken, YunmengError

Language = Literal["zh-CN", "en"]
LANGUAGES: tuple[Language, ...] = ("zh-CN", "en")

_LONGEST_FACT = 300
_FIELD = re.compile(r"\{\{|\}\}|\{(\w+)\}")
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Problem:
    """An error in a person's words: the members of RFC 9457, the way out, and the key."""

    type: str
    title: str
    status: int
    detail: str
    remedy: str
    key: str


def language(wanted: str) -> Language:
    """Returns our language nearest to a tag such as ``en-GB`` or ``zh-Hans``; else ``zh-CN``."""
    return "en" if wanted.lower().partition("-")[0] == "en" else "zh-CN"


def sentence(key: str, facts: Mapping[str, object], lang: str = "zh-CN") -> str:
    """Returns the sentence of an error (its detail) or of a label, filled with facts; never raises."""
    words = _words(language(lang))
    template = words.get(f"errors.{key}.detail") or words.get(f"errors.{key}.title") or words.get(key)
    if template is None:
        listed = ", ".join(f"{name}={_show(value)}" for name, value in facts.items())
        return f"{key} ({listed})" if listed else key
    return _fill(template, facts)


def problem(error: YunmengError, lang: str = "zh-CN") -> Problem:
    """Returns the error as a person reads it; never raises."""
    words = _words(language(lang))
    title, remedy = (words.get(f"errors.{error.key}.{part}", "") for part in ("title", "remedy"))
    return Problem(
        type=error.type,
        title=_fill(title, error.facts) or error.key,
        status=error.status,
        detail=sentence(error.key, error.facts, lang),
        remedy=_fill(remedy, error.facts),
        key=error.key,
    )


def label(key: str, lang: str = "zh-CN") -> str:
    """Returns the label, or the key itself when nobody has given it words."""
    return _words(language(lang)).get(key, key)


def catalogue(lang: str = "zh-CN") -> Mapping[str, str]:
    """Returns labels by key, and the parts of errors as ``errors.<key>.title``, ``.detail``, ``.remedy``.

    Raises:
        Broken: ``words.bad`` when a table of a package cannot be read.
    """
    return _catalogue(language(lang))


def word_files(folders: Iterable[Path], lang: Language) -> Iterator[Path]:
    """Yields the word tables of a language at any depth below the folders, each once, in a fixed order."""
    seen: set[Path] = set()
    for folder in folders:
        for file in sorted(folder.glob(f"**/words/{lang}.toml")):
            if file not in seen:
                seen.add(file)
                yield file


def read_words(file: Path) -> dict[str, str]:
    """Reads one table as flat keys.

    Raises:
        Broken: ``words.bad`` naming the file.
    """
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
        return dict(_flatten(tables))
    except (OSError, ValueError, TypeError) as cause:
        raise Broken("words.bad", file=str(file), reason=str(cause)) from cause


def _flatten(tables: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, value in tables.items():
        key = name if not path or path == "labels" else f"{path}.{name}"
        if isinstance(value, dict):
            yield from _flatten(cast("dict[str, Any]", value), key)
        elif isinstance(value, str):
            yield key, value
        else:
            raise TypeError(f"{key} is not text")


@cache
def _own(lang: Language) -> Mapping[str, str]:
    return _merge(word_files([_ROOT], lang))


@cache
def _catalogue(lang: Language) -> Mapping[str, str]:
    from yunmeng.kernel.base.registry import packages

    outside = [found.folder for found in packages() if not found.folder.is_relative_to(_ROOT)]
    return {**_merge(word_files(outside, lang)), **_own(lang)}


def _words(lang: Language) -> Mapping[str, str]:
    try:
        return _catalogue(lang)
    except Broken:
        # the error about a package's table must itself be readable
        return _own(lang)


def _merge(files: Iterable[Path]) -> dict[str, str]:
    merged: dict[str, str] = {}
    for file in files:
        for key, text in read_words(file).items():
            merged.setdefault(key, text)
    return merged


def _fill(template: str, facts: Mapping[str, object]) -> str:
    def field(found: re.Match[str]) -> str:
        name = found[1]
        if name is None:
            return found[0][0]
        return _show(facts[name]) if name in facts else "?"

    return _FIELD.sub(field, template)


def _show(fact: object) -> str:
    if fact is None:
        return "—"
    if isinstance(fact, list | tuple | set | frozenset):
        text = ", ".join(map(str, cast("Iterable[object]", fact)))
    else:
        text = str(fact)
    if len(text) > _LONGEST_FACT:
        text = text[:_LONGEST_FACT] + "…"
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]

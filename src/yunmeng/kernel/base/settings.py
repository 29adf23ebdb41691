"""Typed settings: defaults < profile < file < environment < command line, each with its origin."""

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast, get_type_hints

from yunmeng.kernel.base.coerce import coerce
from yunmeng.kernel.base.divisions import division
from yunmeng.kernel.base.errors import BadInput
from yunmeng.kernel.base.nearest import nearest
from yunmeng.kernel.base.sections import Sections
from yunmeng.kernel.base.words import label

Source = Literal["default", "profile", "file", "environment", "command line"]

_PREFIX = "YUNMENG__"
# sections whose keys are names of one's own, and whose values are texts
_TEXTS = ("gateways", "schedule")
_PROFILES = Path(__file__).resolve().parents[2] / "profiles"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from; ``where`` is the file, the variable or the argument."""

    source: Source = "default"
    where: str = ""


@dataclass(frozen=True, slots=True)
class Explained:
    """One setting as a person reads it; a secret shows its reference only."""

    key: str
    value: str
    origin: Origin
    about: str


@dataclass(frozen=True, slots=True)
class Settings(Sections):
    """All settings of a node; ``Settings()`` are the defaults, ``origins`` says where others came from."""

    origins: Mapping[str, Origin] = field(default_factory=dict[str, Origin])


@dataclass(frozen=True, slots=True)
class _Given:
    section: str
    key: str
    value: object
    origin: Origin
    folder: Path


def load_settings(
    file: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    overrides: Sequence[str] = (),
    profile: str = "",
) -> Settings:
    """Reads the settings; without a file named, ``yunmeng.toml`` of the working folder if it is there.

    Args:
        file: A TOML file; relative paths in it are relative to its folder.
        env: Variables ``YUNMENG__SECTION__KEY``; the process's own by default.
        overrides: ``section.key=value`` each, as on the command line.
        profile: A tier's settings that ship: ``province``, ``city`` or ``county``.

    Raises:
        BadInput: ``settings.unknown``, ``.type``, ``.range``, ``.choice``, ``.syntax``, ``.absent``,
            ``.profile``, ``.secret``, ``.url_secret`` or ``.tier``; ``division.unknown``.
    """
    settings = Settings()
    for given in _given(file, os.environ if env is None else env, overrides, profile):
        settings = _set(settings, given)
    _check_tier(settings)
    return settings


def explain(settings: Settings, lang: str = "zh-CN") -> tuple[Explained, ...]:
    """Returns every setting with its value, where it came from and what it is for."""
    return tuple(
        Explained(key, _shown(value), settings.origins.get(key, Origin()), label(f"settings.{about}", lang))
        for key, about, value in _values(settings)
    )


def profiles() -> Mapping[str, Path]:
    """Returns the profiles that ship, by name."""
    return {path.stem: path for path in sorted(_PROFILES.glob("*.toml"))}


def _check_tier(settings: Settings) -> None:
    node, place = settings.node, division(settings.node.division)
    fits = {"province": place.level == "province", "city": place.prefecture_unit, "county": place.county_unit}
    if not fits[node.tier]:
        raise BadInput("settings.tier", tier=node.tier, division=place.code, name=place.name_zh)


def _given(
    file: Path | str | None, env: Mapping[str, str], overrides: Sequence[str], profile: str
) -> Iterator[_Given]:
    if profile:
        known = profiles()
        if profile not in known:
            raise BadInput("settings.profile", profile=profile, known=tuple(known))
        yield from _from_file(known[profile], "profile")
    if file is not None or Path("yunmeng.toml").exists():
        yield from _from_file(Path(file or "yunmeng.toml"), "file")
    yield from _from_env(env)
    yield from _from_overrides(overrides)


def _from_file(file: Path, source: Source) -> Iterator[_Given]:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as cause:
        raise BadInput("settings.absent", file=str(file), reason=cause.strerror) from cause
    except ValueError as cause:
        raise BadInput("settings.syntax", where=str(file), reason=str(cause)) from cause
    origin = Origin(source, str(file))
    for section, table in tables.items():
        if not isinstance(table, dict):
            raise _unknown(section, origin)
        entries = cast("dict[str, object]", table)
        for key, value in _flat(entries) if section in _TEXTS else entries.items():
            yield _Given(section, key, value, origin, file.resolve().parent)


def _flat(table: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yields the entries of a table whose keys have dots: TOML takes ``water.permits`` for a table in it."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from ((f"{key}.{rest}", inner) for rest, inner in _flat(cast("dict[str, object]", value)))
        else:
            yield key, value


def _from_env(env: Mapping[str, str]) -> Iterator[_Given]:
    for name in sorted(env):
        if name.startswith(_PREFIX):
            section, _, key = name.removeprefix(_PREFIX).lower().partition("__")
            yield _Given(section, key, env[name], Origin("environment", name), Path())


def _from_overrides(overrides: Sequence[str]) -> Iterator[_Given]:
    for argument in overrides:
        # the key of a context is a URL, which may hold "=" itself; a file's name rarely does
        split = argument.rpartition if argument.startswith("contexts.") else argument.partition
        path, equals, value = split("=")
        if not equals:
            raise BadInput("settings.syntax", where=argument, reason="section.key=value")
        section, _, key = path.strip().partition(".")
        yield _Given(section, key, value, Origin("command line", path), Path())


def _set(settings: Settings, given: _Given) -> Settings:
    name = f"{given.section}.{given.key}"
    known = _section_fields()
    if given.section not in known or not given.key:
        raise _unknown(name, given.origin)
    origins = {**settings.origins, name: given.origin}
    if given.section == "contexts":
        path = coerce(name, Path, {}, given.value, given.origin.where, given.folder)
        contexts = {**settings.contexts, given.key: cast("Path", path)}
        return replace(settings, contexts=contexts, origins=origins)
    if given.section in _TEXTS:
        text = coerce(name, str, {}, given.value, given.origin.where, given.folder)
        held: dict[str, Any] = {given.section: {**getattr(settings, given.section), given.key: text}}
        return replace(settings, origins=origins, **held)
    if given.key not in known[given.section]:
        raise _unknown(name, given.origin)
    kind, about = known[given.section][given.key]
    value = coerce(name, kind, about.metadata, given.value, given.origin.where, given.folder)
    section = replace(getattr(settings, given.section), **{given.key: value})
    changes: dict[str, Any] = {given.section: section, "origins": origins}
    return replace(settings, **changes)


@cache
def _section_fields() -> Mapping[str, Mapping[str, tuple[Any, Field[Any]]]]:
    sections: dict[str, dict[str, tuple[Any, Field[Any]]]] = {}
    for name, kind in get_type_hints(Sections).items():
        hints = {} if name in ("contexts", *_TEXTS) else get_type_hints(kind)
        sections[name] = {each.name: (hints[each.name], each) for each in fields(kind)} if hints else {}
    return sections


def _unknown(name: str, origin: Origin) -> BadInput:
    known = [f"{section}.{key}" for section, keys in _section_fields().items() for key in keys]
    return BadInput("settings.unknown", key=name, nearest=nearest(name, known), where=origin.where)


def _values(settings: Settings) -> Iterator[tuple[str, str, object]]:
    for section, keys in _section_fields().items():
        for key in keys:
            yield f"{section}.{key}", f"{section}.{key}", getattr(getattr(settings, section), key)
    for url, path in settings.contexts.items():
        yield f"contexts.{url}", "contexts", path
    for section in _TEXTS:
        for name, text in getattr(settings, section).items():
            yield f"{section}.{name}", section, text


def _shown(value: object) -> str:
    from yunmeng.kernel.base.secret import Secret

    if isinstance(value, bool):
        return str(value).lower()
    return value.reference if isinstance(value, Secret) else str(value)

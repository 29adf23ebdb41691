"""``package.toml``: what a package says of itself, read as data and checked key by key.

A folder holds::

    id = "water"                            # letters, digits, underscores; unique
    sections = ["4.5"]                      # of the plan
    tiers = ["province", "city", "county"]  # all three when left out
    extra = "water"                         # the extra of the distribution that it needs
    types = ["Reservoir"]                   # entity types that its model tables define
    routes = "yunmeng.converged.water.api:ROUTES"
    demo = "yunmeng.converged.water.demo:generate"
    story = "yunmeng.converged.water.story:tell"    # what the demo does over HTTP, once it runs
    gateway = "yunmeng.gateways.jt808:GATEWAY"      # of a package that speaks a field protocol
    devices = "yunmeng.information.iot.demo:DEMO_DEVICES"   # devices that the demo plays over real sockets
    work = ["yunmeng.information.iot.campaigning:work"]   # run in the worker process until it stops

    [name]
    zh = "水利"
    en = "Water"

    [[jobs]]
    id = "flood"
    run = "yunmeng.converged.water.flood:forecast"
    inputs = ["Reservoir"]
    [jobs.name]
    zh = "洪水预报"
    en = "Flood forecast"
    [[jobs.form]]                           # what a person fills in before it starts
    name = "until"
    kind = "instant"                        # text (when left out), number, division, instant
    zh = "截止时间"
    en = "Until"
    default = ""
    required = false
    choices = []

    [[systems]]
    id = "S101"                             # of the plan's 202 systems
    proof = "tests/converged/water/test_flood.py::test_forecast"

``id`` and ``name`` are required; in a job ``id``, ``run`` and ``name``; in a row of its form ``name``,
``zh`` and ``en``; in a system both keys.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args

from yunmeng.kernel.base.errors import Broken
from yunmeng.kernel.base.nearest import nearest
from yunmeng.kernel.base.sections import Tier

TIERS: tuple[Tier, ...] = get_args(Tier)
InputKind = Literal["text", "number", "division", "instant"]

_ID = re.compile(r"[a-z][a-z0-9_]*")
_SYSTEM = re.compile(r"S\d{3}")
_TARGET = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_PROOF = re.compile(r"tests/[\w./-]+\.py::\w+(::\w+)?(\[.+\])?")


@dataclass(frozen=True, slots=True)
class Name:
    """A name in both languages."""

    zh: str
    en: str

    def get(self, lang: str) -> str:
        """Returns the name in a language (``zh-CN`` or ``en``)."""
        return self.en if lang.startswith("en") else self.zh


@dataclass(frozen=True, slots=True)
class SystemClaim:
    """That a package implements one of the plan's systems, with the test (a pytest node id) that shows it."""

    id: str
    proof: str


@dataclass(frozen=True, slots=True)
class JobInput:
    """One field of a job's form; a field with ``choices`` takes one of them."""

    name: str
    label: Name
    kind: InputKind = "text"
    default: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JobClaim:
    """A job that a package offers; ``run`` is ``module:function``, ``inputs`` are entity types it reads."""

    id: str
    run: str
    name: Name
    inputs: tuple[str, ...] = ()
    form: tuple[JobInput, ...] = ()


@dataclass(frozen=True, slots=True)
class Package:
    """What a package says of itself; what is code stands as ``module:name``, or is empty."""

    id: str
    name: Name
    folder: Path
    sections: tuple[str, ...] = ()
    tiers: tuple[Tier, ...] = TIERS
    extra: str = ""
    types: tuple[str, ...] = ()
    routes: str = ""
    demo: str = ""
    story: str = ""
    gateway: str = ""
    devices: str = ""
    work: tuple[str, ...] = ()
    jobs: tuple[JobClaim, ...] = ()
    systems: tuple[SystemClaim, ...] = ()


def read_package(folder: Path) -> Package:
    """Reads the ``package.toml`` of a folder.

    Raises:
        Broken: ``package.absent`` without the file, ``package.bad`` naming file and key.
    """
    file = folder / "package.toml"
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as cause:
        raise Broken("package.absent", name=str(folder), reason="package.toml") from cause
    except (OSError, ValueError) as cause:
        raise Broken("package.bad", file=str(file), key="", reason=str(cause)) from cause
    return _Reader(file, table).package()


_Claim = TypeVar("_Claim", JobClaim, JobInput, SystemClaim)


class _Reader:
    """Checks one table key by key, and says which is wrong."""

    def __init__(self, file: Path, table: Mapping[str, Any], path: str = "") -> None:
        self._file, self._table, self._path = file, table, path

    def package(self) -> Package:
        self._only(
            "id",
            "name",
            "sections",
            "tiers",
            "extra",
            "types",
            "routes",
            "demo",
            "story",
            "gateway",
            "devices",
            "work",
            "jobs",
            "systems",
        )
        return Package(
            id=self._text("id", _ID),
            name=self._name(),
            folder=self._file.parent,
            sections=self._texts("sections"),
            tiers=self._tiers(),
            extra=self._text("extra", default=""),
            types=self._texts("types"),
            routes=self._text("routes", _TARGET, default=""),
            demo=self._text("demo", _TARGET, default=""),
            story=self._text("story", _TARGET, default=""),
            gateway=self._text("gateway", _TARGET, default=""),
            devices=self._text("devices", _TARGET, default=""),
            work=self._texts("work", _TARGET),
            jobs=self._each("jobs", _Reader._job, "id"),
            systems=self._each("systems", _Reader._system, "id"),
        )

    def _job(self) -> JobClaim:
        self._only("id", "run", "name", "inputs", "form")
        run, form = self._text("run", _TARGET), self._each("form", _Reader._field, "name")
        return JobClaim(self._text("id", _ID), run, self._name(), self._texts("inputs"), form)

    def _field(self) -> JobInput:
        self._only("name", "kind", "zh", "en", "default", "required", "choices")
        kind, required = self._table.get("kind", "text"), self._table.get("required", False)
        if kind not in get_args(InputKind):
            raise self._bad("kind", ", ".join(get_args(InputKind)))
        if not isinstance(required, bool):
            raise self._bad("required", "true, false")
        label, choices = Name(self._text("zh"), self._text("en")), self._texts("choices")
        default = self._text("default", default="")
        return JobInput(self._text("name", _ID), label, kind, default, required, choices)

    def _system(self) -> SystemClaim:
        self._only("id", "proof")
        return SystemClaim(self._text("id", _SYSTEM), self._text("proof", _PROOF))

    def _name(self) -> Name:
        name = self._table.get("name")
        if not isinstance(name, dict):
            raise self._bad("name", "zh, en")
        inner = _Reader(self._file, cast("dict[str, Any]", name), self._key("name") + ".")
        inner._only("zh", "en")
        return Name(inner._text("zh"), inner._text("en"))

    def _tiers(self) -> tuple[Tier, ...]:
        given = self._texts("tiers") if "tiers" in self._table else TIERS
        if not given or not set(given) <= set(TIERS):
            raise self._bad("tiers", ", ".join(TIERS))
        return tuple(tier for tier in TIERS if tier in given)

    def _each(self, key: str, read: "Callable[[_Reader], _Claim]", unique: str) -> "tuple[_Claim, ...]":
        tables = self._table.get(key, [])
        if not isinstance(tables, list):
            raise self._bad(key, f"[[{key}]]")
        claims: dict[str, _Claim] = {}
        for number, table in enumerate(cast("list[object]", tables), start=1):
            if not isinstance(table, dict):
                raise self._bad(key, f"[[{key}]]")
            inner = _Reader(self._file, cast("dict[str, Any]", table), f"{self._key(key)}[{number}].")
            claim = read(inner)
            if claims.setdefault(name := getattr(claim, unique), claim) is not claim:
                raise inner._bad(unique, f"{name} ×2")
        return tuple(claims.values())

    def _text(self, key: str, pattern: re.Pattern[str] | None = None, default: str | None = None) -> str:
        value = self._table.get(key, default)
        if value == default and default is not None:
            return default
        if not isinstance(value, str) or not value.strip():
            raise self._bad(key, "text")
        if pattern and not pattern.fullmatch(value):
            raise self._bad(key, pattern.pattern)
        return value

    def _texts(self, key: str, pattern: re.Pattern[str] | None = None) -> tuple[str, ...]:
        value = self._table.get(key, [])
        texts = cast("list[object]", value) if isinstance(value, list) else [None]
        if not all(isinstance(text, str) and text for text in texts):
            raise self._bad(key, "[text, …]")
        found = tuple(cast("list[str]", texts))
        if pattern and not all(map(pattern.fullmatch, found)):
            raise self._bad(key, pattern.pattern)
        return found

    def _only(self, *known: str) -> None:
        for key in self._table:
            if key not in known:
                raise self._bad(key, nearest(key, known) or ", ".join(known))

    def _key(self, key: str) -> str:
        return f"{self._path}{key}"

    def _bad(self, key: str, wanted: str) -> Broken:
        return Broken("package.bad", file=str(self._file), key=self._key(key), reason=wanted)

"""The ``views.toml`` contract: what a package shows in the console, as data.

One file a package folder. Every item has an ``id`` (unique among the layers,
tiles... of all packages), a ``title`` in both
languages, the ``page`` it stands on, an ``order`` (small first) and the ``tiers`` that show it (none: all).
Types, attributes and ``where`` use the names of the package's ``model/*.toml``. The whole table is in
``docs/reference/views.md``; :func:`yunmeng.console.loading.load_views` reads and checks it.
"""

from typing import Literal

import msgspec

Tier = Literal["province", "city", "county"]
Severity = Literal["watch", "alarm"]
Method = Literal["count", "sum", "avg", "min", "max"]
Palette = Literal["blue", "green", "amber", "violet", "diverging"]


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every part of the contract is: immutable, and refusing what it does not know."""


class Title(_Strict, frozen=True, rename={"zh": "zh-CN"}):
    """Words in both languages; Chinese is the source."""

    zh: str
    en: str


class Threshold(_Strict, frozen=True, kw_only=True):
    """From which value on a number asks for attention; ``above`` and ``below`` include ``at``."""

    when: Literal["above", "below"]
    at: float
    level: Severity


class Item(_Strict, frozen=True, kw_only=True):
    """What every item says of itself."""

    id: str
    title: Title
    note: Title | None = None
    page: str = "overview"
    order: int = 100
    tiers: tuple[Tier, ...] = ()


class Measured(Item, frozen=True, kw_only=True):
    """An item that shows a number made from an attribute of all entities of a type.

    ``unit`` is the UN/CEFACT code shown (empty: the attribute's own); ``digits`` are decimals.
    """

    type: str
    attribute: str = ""
    method: Method = "avg"
    unit: str = ""
    digits: int = 1
    stale_s: int = 900
    thresholds: tuple[Threshold, ...] = ()


class Layer(Item, frozen=True, kw_only=True):
    """A layer of the map.

    ``outlines`` draws the divisions alone, ``areas`` shades them by a measure, ``points`` places entities
    and colours them by an attribute; ``stops`` are the class limits (none: found from the values).
    """

    kind: Literal["outlines", "areas", "points"]
    type: str = ""
    attribute: str = ""
    method: Method = "avg"
    unit: str = ""
    digits: int = 1
    stops: tuple[float, ...] = ()
    palette: Palette = "blue"
    thresholds: tuple[Threshold, ...] = ()
    stale_s: int = 900
    shown: bool = False


class Tile(Measured, frozen=True, kw_only=True):
    """One number; it opens ``chart`` and ``table``. ``where`` (NGSI-LD ``q``) goes with ``count`` only."""

    where: str = ""
    source: Title | None = None
    chart: str = ""
    table: str = ""


class Chart(Measured, frozen=True, kw_only=True):
    """A measure over time (``by = "time"``) or by division now (``by = "division"``).

    ``period_s`` is the width of one step (0: chosen from the range).
    """

    kind: Literal["line", "area", "bar"] = "line"
    by: Literal["time", "division"] = "time"
    range_h: int = 24
    period_s: int = 0


class Column(_Strict, frozen=True, kw_only=True):
    """A column of a table; ``title`` only where the attribute's own label does not fit."""

    attribute: str
    title: Title | None = None
    unit: str = ""
    digits: int | None = None
    thresholds: tuple[Threshold, ...] = ()


class Table(Item, frozen=True, kw_only=True):
    """Entities of a type as rows; ``sort`` is an attribute, ``-`` before it sorts down."""

    type: str
    columns: tuple[Column, ...]
    sort: str = ""
    search: tuple[str, ...] = ("name",)
    where: str = ""
    stale_s: int = 900


class Page(_Strict, frozen=True, kw_only=True):
    """A page of the console beside the overview."""

    id: str
    title: Title
    order: int = 100
    tiers: tuple[Tier, ...] = ()


class Form(Item, frozen=True, kw_only=True):
    """A form: the JSON Schema file ``schema`` (beside ``views.toml``), sent to the job ``job``."""

    job: str
    schema: str


class ViewFile(_Strict, frozen=True, kw_only=True):
    """One ``views.toml``, as read."""

    pages: tuple[Page, ...] = ()
    layers: tuple[Layer, ...] = ()
    tiles: tuple[Tile, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    forms: tuple[Form, ...] = ()


class Views(_Strict, frozen=True, kw_only=True):
    """The views of all packages together, in order; ``package`` maps ``tiles/<id>`` to its package."""

    pages: tuple[Page, ...] = ()
    layers: tuple[Layer, ...] = ()
    tiles: tuple[Tile, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    forms: tuple[Form, ...] = ()
    package: dict[str, str] = {}

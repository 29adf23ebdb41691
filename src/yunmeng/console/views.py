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


class Mark(_Strict, frozen=True, kw_only=True):
    """A level that a gauge draws: an attribute, or an attribute that is only drawn where there is one.

    ``limit`` is the one that matters now (the value turns to alarm above it), ``top`` the end of the drawing.
    """

    attribute: str
    title: Title | None = None
    kind: Literal["mark", "limit", "top"] = "mark"


class Gauge(_Strict, frozen=True, kw_only=True):
    """A drawing of one value between the levels that it is judged against."""

    attribute: str
    marks: tuple[Mark, ...]
    digits: int = 2


class Curve(_Strict, frozen=True, kw_only=True):
    """How a number is read off a curve: ``y`` over ``x`` of the JSON attribute, at the value of ``at``."""

    attribute: str
    x: str
    y: str
    at: str


class Fact(Column, frozen=True, kw_only=True):
    """A number or text of an entity's page.

    ``curve`` gives it where it is not reported; ``minus`` is an attribute or another fact taken from it.
    """

    curve: Curve | None = None
    minus: str = ""


class Trend(_Strict, frozen=True, kw_only=True):
    """Attributes of one unit over the last hours; ``limit`` is an attribute drawn as a line."""

    title: Title
    attributes: tuple[str, ...]
    limit: str = ""
    digits: int = 1


class Band(_Strict, frozen=True, kw_only=True):
    """A fan of quantiles: a member of the forecast's JSON, drawn with the unit of ``attribute``."""

    member: str
    attribute: str
    title: Title
    limit: str = ""
    digits: int = 1


class Outlook(_Strict, frozen=True, kw_only=True):
    """The newest entity of ``type`` whose relationship ``of`` names this one: facts and fans.

    The JSON attribute ``quantiles`` holds ``at`` (times), ``levels`` (0 to 1) and a row of values a level.
    """

    type: str
    of: str
    issued: str
    quantiles: str
    bands: tuple[Band, ...]
    facts: tuple[Fact, ...] = ()
    stale_s: int = 86_400


class Neighbours(_Strict, frozen=True, kw_only=True):
    """Who stands before and behind an entity by the relationship ``attribute``.

    ``hours`` is the attribute that says how long the way to the next takes; of ``shows`` the first that a
    neighbour has is shown.
    """

    attribute: str
    types: tuple[str, ...]
    hours: str = ""
    shows: tuple[str, ...] = ()
    title: Title
    upstream: Title
    downstream: Title


class Orders(_Strict, frozen=True, kw_only=True):
    """The newest order for an entity: the item of the JSON list ``orders`` whose ``of`` names it."""

    type: str
    orders: str
    of: str
    text: str
    start: str
    state: str
    title: Title


class Detail(Item, frozen=True, kw_only=True):
    """What the page of an entity of a type shows first; every section may be left out.

    ``people`` are attributes that say who answers for it.
    """

    type: str
    stale_s: int = 900
    gauge: Gauge | None = None
    facts: tuple[Fact, ...] = ()
    people: tuple[str, ...] = ()
    trends: tuple[Trend, ...] = ()
    outlook: Outlook | None = None
    neighbours: Neighbours | None = None
    orders: Orders | None = None


class ViewFile(_Strict, frozen=True, kw_only=True):
    """One ``views.toml``, as read."""

    pages: tuple[Page, ...] = ()
    layers: tuple[Layer, ...] = ()
    tiles: tuple[Tile, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    forms: tuple[Form, ...] = ()
    details: tuple[Detail, ...] = ()


class Views(_Strict, frozen=True, kw_only=True):
    """The views of all packages together, in order; ``package`` maps ``tiles/<id>`` to its package."""

    pages: tuple[Page, ...] = ()
    layers: tuple[Layer, ...] = ()
    tiles: tuple[Tile, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    forms: tuple[Form, ...] = ()
    details: tuple[Detail, ...] = ()
    package: dict[str, str] = {}

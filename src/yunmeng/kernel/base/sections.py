"""The settings a node has; what each is for stands in the word tables as ``settings.<section>.<key>``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from yunmeng.kernel.base.secret import Secret

Tier = Literal["province", "city", "county"]


_NONE = Secret()


def _within(default: float, low: float, high: float = float("inf")) -> int:
    # typed as the field wants it; the reader checks the bounds of what was set
    return field(default=default, metadata={"low": low, "high": high})  # pyright: ignore[reportReturnType, reportArgumentType, reportCallIssue]


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Which node this is, where it keeps what it stores, and whether the packages' ``rules`` raise alerts."""

    name: str = "yunmeng"
    tier: Tier = "province"
    division: str = "420000"
    data: Path = Path("yunmeng-data")
    rules: bool = True


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Where people and programs reach the node; ``max_body`` is in bytes.

    ``url`` is how others address it where that is not the host and port, ``alias`` by what name other
    brokers know it (ETSI GS CIM 009 §5.2.40).
    """

    host: str = "127.0.0.1"
    port: int = _within(8420, 0, 65_535)
    url: str = ""
    alias: str = ""
    workers: int = _within(1, 1, 256)
    max_body: int = _within(8 << 20, 1024)
    temporal_values: int = _within(10_000, 1)
    console: bool = True
    private_contexts: bool = False


@dataclass(frozen=True, slots=True)
class BusSettings:
    """The bus 传; an empty ``url`` starts a server of our own at ``port`` (0: a free one).

    ``max_bytes`` is what all its streams may hold together. At ``mqtt_port`` (0: nowhere) a listener of our
    own meets MQTT devices, which show one ``shared`` password or ``each`` a credential of its own.
    """

    engine: Literal["memory", "nats"] = "nats"
    url: str = ""
    token: Secret = _NONE
    port: int = _within(0, 0, 65_535)
    mqtt_port: int = _within(0, 0, 65_535)
    mqtt_sign_in: Literal["shared", "each"] = "shared"
    max_bytes: int = _within(4 << 30, 1 << 20)
    sync: Literal["always", "interval"] = "always"


@dataclass(frozen=True, slots=True)
class StateSettings:
    """The current state 存; ``indexed`` names attributes that are indexed from the start, by commas."""

    engine: Literal["sqlite", "postgresql"] = "sqlite"
    url: str = ""
    password: Secret = _NONE
    indexed: str = ""


@dataclass(frozen=True, slots=True)
class HistorySettings:
    """The history 存; chDB is served on 127.0.0.1 at ``port`` (0: a free one)."""

    engine: Literal["chdb", "clickhouse"] = "chdb"
    url: str = ""
    user: str = "default"
    password: Secret = _NONE
    port: int = _within(0, 0, 65_535)


@dataclass(frozen=True, slots=True)
class ObjectsSettings:
    """The objects 存; a folder needs no url."""

    engine: Literal["folder", "s3"] = "folder"
    url: str = ""
    region: str = ""
    access_key: Secret = _NONE
    secret_key: Secret = _NONE


@dataclass(frozen=True, slots=True)
class KeeperSettings:
    """The single writer: it commits after ``linger_ms`` or ``batch`` rows.

    Observations further ahead of the clock than ``future_tolerance_s`` are refused. With ``forgo_lost`` it
    starts although observations that the history still needed are lost with the bus. Of what cannot be taken
    the newest ``max_quarantined`` are kept, and no more than ``max_quarantined_bytes``.
    """

    linger_ms: int = _within(250, 0, 60_000)
    batch: int = _within(10_000, 1, 1_000_000)
    future_tolerance_s: int = _within(300, 0)
    forgo_lost: bool = False
    max_quarantined: int = _within(10_000, 1, 1_000_000)
    max_quarantined_bytes: int = _within(256 << 20, 1 << 10)


@dataclass(frozen=True, slots=True)
class TrustSettings:
    """Who may enter; a session lasts ``session_hours``."""

    session_hours: int = _within(12, 1, 24 * 31)
    sign_in: bool = True


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """The synthetic province; ``rate`` is in observations a second."""

    enabled: bool = False
    seed: int = 42
    rate: float = _within(200, 0)


@dataclass(frozen=True, slots=True)
class Sections:
    """All sections; three of them hold names of one's own.

    ``contexts`` maps the URL of a JSON-LD context to the file that stands for it; ``gateways`` maps a name to
    where devices are met (``jt808+tcp://0.0.0.0:6808?division=420100``); ``schedule`` maps a job to how often
    it runs, and with which inputs (``P1D?division=420100``).
    """

    node: NodeSettings = NodeSettings()
    http: HttpSettings = HttpSettings()
    bus: BusSettings = BusSettings()
    state: StateSettings = StateSettings()
    history: HistorySettings = HistorySettings()
    objects: ObjectsSettings = ObjectsSettings()
    keeper: KeeperSettings = KeeperSettings()
    trust: TrustSettings = TrustSettings()
    contexts: Mapping[str, Path] = field(default_factory=dict[str, Path])
    gateways: Mapping[str, str] = field(default_factory=dict[str, str])
    schedule: Mapping[str, str] = field(default_factory=dict[str, str])
    demo: DemoSettings = DemoSettings()

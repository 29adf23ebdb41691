"""What a gateway package declares, and where a node listens with it."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, MutableMapping
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, urlsplit

from yunmeng.kernel.base import BadInput, NotFound, nearest, packages
from yunmeng.kernel.sense.devices import DeviceRecord, Devices
from yunmeng.kernel.sense.mapping import Mapper
from yunmeng.kernel.sense.session import Session

if TYPE_CHECKING:
    from yunmeng.kernel.sense.hub import Hub


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a node meets devices: ``gateway+transport://host:port?option=value``.

    Options of every gateway: ``division`` (GB/T 2260), ``tenant``, ``mapping`` (a file that replaces the
    gateway's own), ``admit`` (``all`` or ``known`` devices), ``idle`` (seconds of silence until a connection
    is closed), ``synthetic`` (1: what comes is made up, and says so). Others are the gateway's own.
    """

    name: str
    gateway: str
    transport: str
    host: str = ""
    port: int = 0
    path: str = ""
    options: Mapping[str, str] = field(default_factory=dict[str, str])


def read_listen(name: str, url: str) -> Listen:
    """Reads where to listen. Raises ``BadInput("sense.url")``."""
    try:
        parts = urlsplit(url)
        port = parts.port or 0
    except ValueError as cause:
        raise BadInput("sense.url", name=name, url=url, reason=str(cause)) from cause
    gateway, plus, transport = parts.scheme.partition("+")
    if not plus:
        raise BadInput("sense.url", name=name, url=url, reason="gateway+transport://")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Listen(name, gateway, transport, parts.hostname or "", port, parts.path, options)


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a device said before its first message, where the transport has it (WebSocket).

    ``path`` is what follows the place where the node listens, without the slashes around it; ``user`` and
    ``password`` are of HTTP Basic, empty when none were shown.
    """

    path: str
    subprotocol: str = ""
    user: str = ""
    password: bytes = b""
    encrypted: bool = False


@dataclass(frozen=True, slots=True)
class Station:
    """What a session knows of its place: mappings, options, devices; ``replayed`` frames are trusted.

    A session that refuses its ``greeting`` raises why when it is made. ``shared`` is for what the sessions of
    one gateway have in common.
    """

    gateway: str
    division: str
    peer: str
    mappers: Mapping[str, Mapper]
    devices: Devices
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    replayed: bool = False
    greeting: Greeting | None = None
    shared: MutableMapping[str, Any] = field(default_factory=dict[str, Any])

    def admit(self, address: str) -> DeviceRecord | None:
        """Returns the device's record, None for a stranger who is welcome.

        Raises ``BadInput("device.unknown")`` for a stranger where only known devices are admitted, and
        ``BadInput("device.suspended")``.
        """
        record = self.devices.find(self.gateway, address)
        if record is None and self.options.get("admit", "all") == "known":
            raise BadInput("device.unknown", gateway=self.gateway, device=address)
        if record is not None and not record.admitted:
            raise BadInput("device.suspended", gateway=self.gateway, device=address, state=record.state)
        return record


@dataclass(frozen=True, slots=True)
class Gateway:
    """One field protocol.

    ``ports`` are its transports with their usual ports. A protocol of our own gives ``session``; one whose
    library does its own input and output gives ``run``, which serves until it is cancelled. ``simulate``
    plays devices against a running gateway. Devices say again what was not acknowledged; where only a new
    connection brings it again, ``says_again`` is False, and the connection ends when something was not kept.
    ``subprotocols`` are those of WebSocket (RFC 6455, 1.9) that the sessions speak.
    """

    id: str
    ports: Mapping[str, int]
    session: Callable[[Station], Session] | None = None
    run: "Callable[[Hub], Awaitable[None]] | None" = None
    simulate: "Callable[[Simulation], Coroutine[Any, Any, int]] | None" = None
    says_again: bool = True
    subprotocols: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a simulator is to play: ``count`` devices that report every ``every_s`` seconds for ``for_s``."""

    host: str
    port: int
    transport: str = "tcp"
    count: int = 10
    every_s: float = 10.0
    for_s: float = 0.0
    seed: int = 42
    options: Mapping[str, str] = field(default_factory=dict[str, str])


def gateways() -> dict[str, str]:
    """Returns the gateways of all packages: where each is declared, by id. Imports none of them."""
    return {package.id: package.gateway for package in packages() if package.gateway}


def find_gateway(id: str) -> Gateway:
    """Imports one gateway. Raises ``NotFound("gateway.unknown")`` with the nearest id."""
    known = gateways()
    if id not in known:
        raise NotFound("gateway.unknown", id=id, nearest=nearest(id, known), known=", ".join(sorted(known)))
    return cast("Gateway", resolve_name(known[id]))

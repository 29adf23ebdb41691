"""One WebSocket connection: handshake, messages, keep-alive; the library ``websockets`` reads the frames."""

import asyncio
import base64
import binascii
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote, urlsplit

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from yunmeng.kernel.base import YunmengError, now_us
from yunmeng.kernel.sense.channel import Channel
from yunmeng.kernel.sense.gateway import Greeting
from yunmeng.kernel.sense.hub import Hub
from yunmeng.kernel.sense.transports.tcp import BYTES_PER_TICK

if TYPE_CHECKING:
    from websockets.typing import Subprotocol

_SLICE = 4 << 10
"""So much is unpacked at once: compressed messages may be far longer than their bytes on the wire."""
_HANDSHAKE_S, _CLOSING_S = 10.0, 5.0
_STATUS = {"device.credential": 401, "device.suspended": 403, "device.unknown": 404}
_DEFLATE = ServerPerMessageDeflateFactory(
    # without memory of earlier messages a silent connection costs a quarter (RFC 7692, 7.1.1)
    server_no_context_takeover=True,
    client_no_context_takeover=True,
    server_max_window_bits=12,
    client_max_window_bits=12,
    compress_settings={"memLevel": 5},
)


class WebSockets:
    """The connections of one place to listen."""

    def __init__(self, hub: Hub, *, longest: int, ping_s: float) -> None:
        self.hub = hub
        self.longest = longest
        self.ping_s = ping_s
        self.open: set[WebSocket] = set()

    def connection(self) -> "WebSocket":
        """Returns what speaks with the next device."""
        return WebSocket(self)

    def leave(self) -> None:
        """Says goodbye to every device (1001)."""
        for each in list(self.open):
            each.close(CloseCode.GOING_AWAY)
            each.end()


class WebSocket(asyncio.Protocol):
    """One device; nothing more is read from it while the bus does not keep up, or while it does not read."""

    def __init__(self, sockets: WebSockets) -> None:
        self._sockets = sockets
        self._hub = sockets.hub
        self._protocol = ServerProtocol(
            extensions=[_DEFLATE],
            select_subprotocol=lambda _, offered: self._select(offered),
            max_size=sockets.longest,
        )
        self._pending = bytearray()
        self._messages: deque[bytes] = deque()
        self._parts: list[bytes] = []
        self._is_text = True
        self._bus_lags = self._peer_lags = False
        self._channel: Channel | None = None
        self._peer = ""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_there = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Waits for the handshake, not for ever."""
        self._transport = cast("asyncio.Transport", transport)
        host, port = (transport.get_extra_info("peername") or ("?", 0))[:2]
        self._peer = f"{host}:{port}"
        self._sockets.open.add(self)
        self._wait(_HANDSHAKE_S, self.end)

    def data_received(self, data: bytes) -> None:
        """Hears what came, unless something waits already."""
        self._pending += data
        if not (self._bus_lags or self._peer_lags):
            self._hear()

    def eof_received(self) -> None:
        """The device says no more; asyncio closes."""
        self._protocol.receive_eof()
        self._flush()

    def pause_writing(self) -> None:
        """The device does not read what it is told: it is not heard either."""
        self._peer_lags = True
        self._reading(False)

    def resume_writing(self) -> None:
        """The device reads again."""
        self._peer_lags = False
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the conversation."""
        self._sockets.open.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.lost()

    def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Begins the closing handshake (7.1.2); whoever does not answer is left."""
        if self._protocol.state is OPEN:
            self._protocol.send_close(code, reason)
            self._flush()
            self._wait(_CLOSING_S, self.end)

    def end(self) -> None:
        """Ends the connection below, after what was written."""
        if self._transport is not None:
            self._transport.close()

    def _hear(self) -> None:
        """Hears messages until the turn is over, the bus is full, or all was heard."""
        heard = 0
        while heard < BYTES_PER_TICK and not (self._hub.sink.full or self._peer_lags):
            if self._messages:
                heard += self._deliver(self._messages.popleft())
            elif self._pending and not self._protocol.eof_sent:
                heard += min(_SLICE, len(self._pending))
                self._feed()
            else:
                self._pending.clear()
                return
        if (self._messages or self._pending) and not self._peer_lags:
            self._bus_lags = True
            self._reading(False)
            self._hub.sink.when_room(self._room)

    def _room(self, _: "asyncio.Future[None]") -> None:
        self._bus_lags = False
        self._go_on()

    def _go_on(self) -> None:
        if self._bus_lags or self._peer_lags:
            return
        self._hear()
        if not (self._bus_lags or self._peer_lags):
            self._reading(True)

    def _reading(self, wanted: bool) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading() if wanted else self._transport.pause_reading()

    def _feed(self) -> None:
        piece = bytes(self._pending[:_SLICE])
        del self._pending[:_SLICE]
        self._protocol.receive_data(piece)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._greet(event)
            elif isinstance(event, Frame):
                self._take(event)
        self._flush()

    def _take(self, frame: Frame) -> None:
        self._is_there = True
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            if frame.opcode is not Opcode.CONT:
                self._is_text = frame.opcode is Opcode.TEXT
            self._parts.append(bytes(frame.data))
            if frame.fin:
                message, self._parts = b"".join(self._parts), []
                self._whole(message)
        elif frame.opcode in (Opcode.PING, Opcode.PONG) and self._channel is not None:
            self._channel.heard_at = now_us()

    def _whole(self, message: bytes) -> None:
        try:
            if self._is_text:
                message.decode()
        except UnicodeDecodeError:
            self._protocol.fail(CloseCode.INVALID_DATA, "UTF-8")  # 8.1
        else:
            self._messages.append(message)

    def _deliver(self, message: bytes) -> int:
        if self._channel is not None:
            self._channel.hear(message)
        return len(message)

    def _greet(self, request: Request) -> None:
        response = self._protocol.accept(request)
        if response.status_code == 101 and (self._protocol.subprotocol or not self._hub.gateway.subprotocols):
            try:
                self._channel = self._hub.channel(
                    self._peer, self._write, self.close, self._greeting(request)
                )
            except YunmengError as reason:
                self._refuse(request, reason)
                return
        self._protocol.send_response(response)
        self._flush()
        if self._channel is not None:
            self._wait(self._sockets.ping_s, self._ping)
            self._channel.open()
        else:
            self.close(CloseCode.PROTOCOL_ERROR, "no sub-protocol in common")

    def _refuse(self, request: Request, reason: YunmengError) -> None:
        """Answers with an HTTP status; the path goes to quarantine with the reason."""
        self._hub.sink.refuse(request.path.encode(), reason, self._peer)
        response = self._protocol.reject(_STATUS.get(reason.key, 400), f"{reason.key}\n")
        if response.status_code == 401:
            response.headers["WWW-Authenticate"] = 'Basic realm="yunmeng", charset="UTF-8"'
        self._protocol.send_response(response)

    def _greeting(self, request: Request) -> Greeting:
        path = unquote(urlsplit(request.path).path).strip("/")
        prefix = self._hub.listen.path.strip("/")
        if prefix:
            first, slash, path = (
                path[: len(prefix)],
                path[len(prefix) : len(prefix) + 1],
                path[len(prefix) + 1 :],
            )
            if first != prefix or slash not in ("", "/"):
                path = ""
        user, password = _credential(request)
        encrypted = self._transport is not None and bool(self._transport.get_extra_info("sslcontext"))
        return Greeting(path, self._protocol.subprotocol or "", user, password, encrypted)

    def _select(self, offered: "Sequence[Subprotocol]") -> "Subprotocol | None":
        # the device names them in the order it likes
        return next((each for each in offered if each in self._hub.gateway.subprotocols), None)

    def _write(self, data: bytes) -> None:
        if self._protocol.state is OPEN:
            self._protocol.send_text(data)
            self._flush()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if self._transport is None or self._transport.is_closing():
                return
            if data:
                self._transport.write(data)
            else:
                self._transport.close()

    def _ping(self) -> None:
        if not (self._is_there or self._bus_lags):
            self._protocol.fail(CloseCode.INTERNAL_ERROR, "no pong")
            self._flush()
            self.end()
            return
        self._is_there = False
        if self._protocol.state is OPEN:
            self._protocol.send_ping(b"")
            self._flush()
            self._wait(self._sockets.ping_s, self._ping)

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        """Sets the one timer anew; 0 seconds stop it."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, then) if seconds else None


def _credential(request: Request) -> tuple[str, bytes]:
    """Reads HTTP Basic (RFC 7617); what is none counts as not shown."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", b""
    try:
        user, _, password = base64.b64decode(text.strip(), validate=True).partition(b":")
        return user.decode(), password
    except (binascii.Error, UnicodeDecodeError):
        return "", b""

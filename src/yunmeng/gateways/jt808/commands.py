"""What a platform may have a terminal do: names, arguments, and the message that answers (0x0001 if none).

Arguments are numbers or texts as clause 8 of JT/T 808 and clause 5 of JT/T 1078 have them.
"""

from collections.abc import Callable, Iterable, Mapping
from struct import error, pack
from typing import Any

from yunmeng.gateways.jt808 import areas
from yunmeng.gateways.jt808.codec import NO_VERSION
from yunmeng.gateways.jt808.fields import write_time
from yunmeng.gateways.jt808.parameters import id_of, write_value
from yunmeng.kernel.base import BadInput, YunmengError, instant_us, nearest

ACKNOWLEDGED = 0x0001
Arguments = Mapping[str, Any]
Build = Callable[[Arguments, int], bytes]


def build(name: str, arguments: Arguments, version: int) -> tuple[int, bytes, int]:
    """Returns id and body of a command, and the id of the message that answers it.

    Raises:
        BadInput: ``command.unknown`` or ``command.arguments``.
    """
    known = COMMANDS.get(name)
    if known is None:
        raise BadInput("command.unknown", name=name, known=nearest(name, COMMANDS) or ", ".join(COMMANDS))
    id, answer, write = known
    try:
        return id, write(arguments, version), answer
    except (KeyError, ValueError, TypeError, error, OverflowError) as cause:
        raise BadInput("command.arguments", name=name, reason=repr(cause)) from cause
    except YunmengError as cause:
        raise BadInput("command.arguments", name=name, reason=str(cause)) from cause


def _nothing(arguments: Arguments, version: int) -> bytes:
    return b""


def _numbers(form: str, *names: str, **defaults: int) -> Build:
    """Numbers in their order; those with a default may be left out."""

    def write(arguments: Arguments, version: int) -> bytes:
        return pack(form, *(int(arguments.get(name, defaults.get(name, _Missing(name)))) for name in names))

    return write


class _Missing:
    """An argument that nobody gave."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __int__(self) -> int:
        raise KeyError(self._name)


def _set_parameters(arguments: Arguments, version: int) -> bytes:
    given = [(id_of(str(title)), value) for title, value in arguments.items()]
    if not given:
        raise KeyError("parameters")
    items = [(id, write_value(id, value)) for id, value in given]
    return bytes((len(items),)) + b"".join(pack(">IB", id, len(value)) + value for id, value in items)


def _ask_parameters(arguments: Arguments, version: int) -> bytes:
    ids = [id_of(str(title)) for title in arguments["names"]]
    return bytes((len(ids),)) + b"".join(pack(">I", id) for id in ids)


def _text(arguments: Arguments, version: int) -> bytes:
    # 2019 puts the kind of text (1 notice, 2 service) behind the flags
    kind = b"" if version == NO_VERSION else bytes((int(arguments.get("kind", 1)),))
    return bytes((int(arguments.get("flags", 0x08)),)) + kind + str(arguments["text"]).encode("gbk")


def _terminal(arguments: Arguments, version: int) -> bytes:
    return bytes((int(arguments["order"]),)) + str(arguments.get("parameters", "")).encode("gbk")


def _vehicle(arguments: Arguments, version: int) -> bytes:
    """Doors: locked with 1, else unlocked; since 2019 a list of kinds of control (table 43)."""
    lock = int(bool(arguments["lock"]))
    return bytes((lock,)) if version == NO_VERSION else pack(">HHB", 1, 1, lock)


def _question(arguments: Arguments, version: int) -> bytes:
    question = str(arguments["question"]).encode("gbk")
    answers: Iterable[Any] = arguments.get("answers", ())
    listed = [str(answer).encode("gbk") for answer in answers]
    return (
        pack(">BB", int(arguments.get("flags", 0x08)), len(question))
        + question
        + b"".join(pack(">BH", number, len(answer)) + answer for number, answer in enumerate(listed, start=1))
    )


def _call(arguments: Arguments, version: int) -> bytes:
    return bytes((int(arguments.get("listen", 0)),)) + str(arguments["phone"]).encode("gbk")


def _transparent(arguments: Arguments, version: int) -> bytes:
    return bytes((int(arguments["kind"]),)) + bytes.fromhex(str(arguments["data"]))


def _server(arguments: Arguments) -> bytes:
    host = str(arguments["host"]).encode("ascii")
    return pack(">B", len(host)) + host + pack(">HH", int(arguments["tcp"]), int(arguments.get("udp", 0)))


def _live(arguments: Arguments, version: int) -> bytes:
    return _server(arguments) + _numbers(">BBB", "channel", "media", "stream", media=0, stream=0)(
        arguments, version
    )


def _time(arguments: Arguments, name: str) -> bytes:
    given = arguments.get(name)
    return bytes(6) if given is None else write_time(instant_us(str(given)))


def _span(arguments: Arguments) -> bytes:
    return _time(arguments, "begin") + _time(arguments, "end")


def _playback(arguments: Arguments, version: int) -> bytes:
    names = ("channel", "media", "stream", "storage", "mode", "multiple")
    what = _numbers(">6B", *names, media=0, stream=0, storage=0, mode=0, multiple=0)(arguments, version)
    return _server(arguments) + what + _span(arguments)


def _playback_control(arguments: Arguments, version: int) -> bytes:
    what = _numbers(">BBB", "channel", "order", "multiple", multiple=0)(arguments, version)
    return what + _time(arguments, "position")


def _recordings(arguments: Arguments, version: int) -> bytes:
    names = ("alarms", "media", "stream", "storage")
    what = _numbers(">Q3B", *names, alarms=0, media=0, stream=0, storage=0)(arguments, version)
    return pack(">B", int(arguments.get("channel", 0))) + _span(arguments) + what


def _upload(arguments: Arguments, version: int) -> bytes:
    texts = [str(arguments[name]).encode("gbk") for name in ("host", "user", "password", "path")]
    host, user, password, path = [pack(">B", len(text)) + text for text in texts]
    names = ("alarms", "media", "stream", "storage", "networks")
    what = _numbers(">Q4B", *names, alarms=0, media=0, stream=0, storage=0, networks=7)(arguments, version)
    server = host + pack(">H", int(arguments.get("port", 21))) + user + password + path
    return server + pack(">B", int(arguments["channel"])) + _span(arguments) + what


_CAMERA = ("channel", "order", "every_s", "keep", "resolution", "quality")
_PICTURE = ("brightness", "contrast", "saturation", "chroma")

COMMANDS: dict[str, tuple[int, int, Build]] = {
    "set-parameters": (0x8103, ACKNOWLEDGED, _set_parameters),
    "parameters": (0x8104, 0x0104, _nothing),
    "terminal": (0x8105, ACKNOWLEDGED, _terminal),
    "some-parameters": (0x8106, 0x0104, _ask_parameters),
    "attributes": (0x8107, 0x0107, _nothing),
    "locate": (0x8201, 0x0201, _nothing),
    "track": (0x8202, ACKNOWLEDGED, _numbers(">HI", "every_s", "for_s", for_s=0)),
    "confirm-alarm": (0x8203, ACKNOWLEDGED, _numbers(">HI", "serial", "alarms", serial=0)),
    "check-link": (0x8204, ACKNOWLEDGED, _nothing),
    "text": (0x8300, ACKNOWLEDGED, _text),
    "ask": (0x8302, 0x0302, _question),
    "call": (0x8400, ACKNOWLEDGED, _call),
    "vehicle": (0x8500, 0x0500, _vehicle),
    "set-circles": (0x8600, ACKNOWLEDGED, areas.circles),
    "delete-circles": (0x8601, ACKNOWLEDGED, areas.deletion),
    "set-rectangles": (0x8602, ACKNOWLEDGED, areas.rectangles),
    "delete-rectangles": (0x8603, ACKNOWLEDGED, areas.deletion),
    "set-polygon": (0x8604, ACKNOWLEDGED, areas.polygon),
    "delete-polygons": (0x8605, ACKNOWLEDGED, areas.deletion),
    "set-route": (0x8606, ACKNOWLEDGED, areas.route),
    "delete-routes": (0x8607, ACKNOWLEDGED, areas.deletion),
    "photo": (
        0x8801,
        0x0805,
        _numbers(
            ">BHHBBB4B",
            *_CAMERA,
            *_PICTURE,
            order=1,
            every_s=0,
            keep=0,
            resolution=1,
            quality=5,
            **dict.fromkeys(_PICTURE, 127),
        ),
    ),
    "transparent": (0x8900, ACKNOWLEDGED, _transparent),
    "video-attributes": (0x9003, 0x1003, _nothing),
    "live": (0x9101, ACKNOWLEDGED, _live),
    "live-control": (
        0x9102,
        ACKNOWLEDGED,
        _numbers(">BBBB", "channel", "order", "close", "stream", close=0, stream=0),
    ),
    "playback": (0x9201, ACKNOWLEDGED, _playback),
    "playback-control": (0x9202, ACKNOWLEDGED, _playback_control),
    "recordings": (0x9205, 0x1205, _recordings),
    "upload": (0x9206, 0x1206, _upload),
    "upload-control": (0x9207, ACKNOWLEDGED, _numbers(">HB", "serial", "order")),
    "turn-camera": (0x9301, ACKNOWLEDGED, _numbers(">BBB", "channel", "direction", "speed")),
    "zoom": (0x9306, ACKNOWLEDGED, _numbers(">BB", "channel", "out", out=0)),
}

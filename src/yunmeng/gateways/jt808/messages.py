"""What terminals say, beside their place: clause 8 of JT/T 808-2013 and 2019, and JT/T 1078-2016."""

import msgspec

from yunmeng.gateways.jt808.codec import NO_VERSION, PROTOCOL
from yunmeng.gateways.jt808.fields import Reader, text_of
from yunmeng.gateways.jt808.location import BASIC, Location, read_location
from yunmeng.gateways.jt808.parameters import read_value, title_of
from yunmeng.kernel.base import BadInput
from yunmeng.kernel.sense import bad_frame

Facts = dict[str, object]


class Registration(msgspec.Struct, frozen=True):
    """0x0100: who wants to be known; GB/T 2260 of province (2 digits) and county (4 digits)."""

    province: int
    county: int
    maker: str
    model: str
    terminal: str
    plate_colour: int
    plate: str


def read_registration(body: bytes, version: int) -> Registration:
    """Reads 0x0100; the editions of 2011 and 2013 are told apart by their size."""
    sizes = (11, 30, 30) if version != NO_VERSION else (5, 20, 7) if len(body) >= 37 else (5, 8, 7)
    reader = Reader(body, "registration")
    province, county = reader.number(2), reader.number(2)
    maker, model, terminal = [text_of(reader.take(size)) for size in sizes]
    return Registration(province, county, maker, model, terminal, reader.number(1), text_of(reader.rest()))


def read_credential(body: bytes, version: int) -> str:
    """Reads the code of 0x0102; since 2019 it comes with its size, the IMEI and the software's version."""
    if version == NO_VERSION:
        return text_of(body)
    reader = Reader(body, "authentication")
    return text_of(reader.take(reader.number(1)))


class Answer808(msgspec.Struct, frozen=True):
    """What answers a command: the platform's serial number where the message has it, and what it says."""

    serial: int | None
    facts: Facts
    reason: str = ""
    location: Location | None = None


def read_acknowledgement(body: bytes) -> tuple[int, int, int]:
    """Reads 0x0001: serial and id of the platform's message, and the result (0 is done)."""
    reader = Reader(body, "acknowledgement")
    return reader.number(2), reader.number(2), reader.number(1)


def read_parts_wanted(body: bytes) -> tuple[int, list[int]]:
    """Reads 0x0005 (2019): the first serial of a message of ours, and the parts to send again."""
    reader = Reader(body, "request of parts")
    serial, count = reader.number(2), reader.number(2)
    return serial, [reader.number(2) for _ in range(count)]


def read_parameters(body: bytes) -> Answer808:
    """Reads 0x0104: parameters as numbers where they have 1, 2 or 4 bytes and no letters, else as text."""
    reader = Reader(body, "parameters")
    serial, count = reader.number(2), reader.number(1)
    facts: Facts = {}
    for _ in range(count):
        id, size = reader.number(4), reader.number(1)
        facts[title_of(id)] = read_value(id, reader.take(size))
    reader.end()
    return Answer808(serial, facts)


def read_attributes(body: bytes, version: int) -> Answer808:
    """Reads 0x0107: what the terminal is made of; some write the maker with 11 bytes, as in 0x0100."""
    if version == NO_VERSION:
        return _attributes(body, (5, 20, 7))
    try:
        return _attributes(body, (5, 30, 30))
    except BadInput:
        return _attributes(body, (11, 30, 30))


def _attributes(body: bytes, sizes: tuple[int, ...]) -> Answer808:
    reader = Reader(body, "attributes")
    facts: Facts = {"kind": reader.number(2)}
    for name, size in zip(("maker", "model", "terminal"), sizes, strict=True):
        facts[name] = text_of(reader.take(size))
    facts["iccid"] = reader.take(10).hex()
    facts["hardware"] = text_of(reader.take(reader.number(1)))
    facts["firmware"] = text_of(reader.take(reader.number(1)))
    facts["gnss"], facts["communication"] = reader.number(1), reader.number(1)
    reader.end()
    return Answer808(None, facts)


def read_placed(body: bytes) -> Answer808:
    """Reads 0x0201 and 0x0500: a serial number and a location."""
    location = read_location(body[2:])
    return Answer808(int.from_bytes(body[:2]), {}, "", location)


def read_photos(body: bytes) -> Answer808:
    """Reads 0x0805: how the camera fared, and the ids of its pictures."""
    reader = Reader(body, "camera")
    serial, result = reader.number(2), reader.number(1)
    if result:
        return Answer808(serial, {}, {1: "failed", 2: "no such channel"}.get(result, str(result)))
    count = reader.number(2)
    return Answer808(serial, {"pictures": [reader.number(4) for _ in range(count)]})


def read_recorder(body: bytes) -> Answer808:
    """Reads 0x0700: a block of the driving recorder (GB/T 19056), as it is."""
    reader = Reader(body, "recorder")
    serial, command = reader.number(2), reader.number(1)
    return Answer808(serial, {"command": command, "data": reader.rest().hex()})


def read_question(body: bytes) -> Answer808:
    """Reads 0x0302: which answer a driver chose."""
    reader = Reader(body, "answer")
    return Answer808(reader.number(2), {"answer": reader.number(1)})


def read_video_attributes(body: bytes) -> Answer808:
    """Reads 0x1003 of JT/T 1078 (table 11): what the terminal can encode."""
    reader = Reader(body, "video attributes")
    names = ("audio", "audio_channels", "audio_rate", "audio_bits")
    facts: Facts = {name: reader.number(1) for name in names}
    facts["audio_frame"] = reader.number(2)
    for name in ("audio_out", "video", "most_audio_channels", "most_video_channels"):
        facts[name] = reader.number(1)
    reader.end()
    return Answer808(None, facts)


def read_recordings(body: bytes) -> Answer808:
    """Reads 0x1205 of JT/T 1078 (table 23): the recordings that it holds; times in microseconds UTC."""
    reader = Reader(body, "list of recordings")
    serial, count = reader.number(2), reader.number(4)
    if len(body) != 6 + 28 * count:
        raise bad_frame(PROTOCOL, f"{count} recordings in {len(body)} bytes")
    return Answer808(serial, {"recordings": reader.many(count, _recording)})


def _recording(reader: Reader) -> object:
    return {
        "channel": reader.number(1),
        "begin": reader.time(),
        "end": reader.time(),
        "alarms": reader.number(8),
        "media": reader.number(1),
        "stream": reader.number(1),
        "storage": reader.number(1),
        "bytes": reader.number(4),
    }


def read_upload(body: bytes) -> Answer808:
    """Reads 0x1206 of JT/T 1078 (table 26): whether a file went to the FTP server."""
    reader = Reader(body, "upload")
    serial, result = reader.number(2), reader.number(1)
    return Answer808(serial, {}, "upload failed" if result else "")


class Passengers(msgspec.Struct, frozen=True):
    """0x1005 of JT/T 1078: passengers that got on and off between two moments in microseconds UTC."""

    begin: int
    end: int
    boarded: int
    alighted: int


def read_passengers(body: bytes) -> Passengers:
    """Reads 0x1005."""
    reader = Reader(body, "passengers")
    return Passengers(reader.time(), reader.time(), reader.number(2), reader.number(2))


class Driver(msgspec.Struct, frozen=True):
    """0x0702: a driver puts a card in (status 1) or takes it out (2); ``result`` 0: it was read."""

    status: int
    at: int
    result: int = 0
    name: str = ""
    licence: str = ""
    issuer: str = ""


def read_driver(body: bytes) -> Driver:
    """Reads 0x0702 of 2013 and 2019."""
    reader = Reader(body, "driver")
    status, at = reader.number(1), reader.time()
    if status != 1:
        return Driver(status, at)
    result = reader.number(1)
    if result:
        return Driver(status, at, result)
    name = text_of(reader.take(reader.number(1)))
    licence, issuer = text_of(reader.take(20)), text_of(reader.take(reader.number(1)))
    return Driver(status, at, result, name, licence, issuer)


_MEDIA = (
    ("image/jpeg", "jpg"),
    ("image/tiff", "tif"),
    ("audio/mpeg", "mp3"),
    ("audio/wav", "wav"),
    ("video/x-ms-wmv", "wmv"),
)


class Media(msgspec.Struct, frozen=True):
    """0x0801: a picture, sound or film; ``location`` is where it was taken (not in the edition of 2011)."""

    id: int
    kind: int
    format: int
    event: int
    channel: int
    location: Location | None
    data: bytes

    @property
    def media_type(self) -> str:
        """The media type of the data."""
        return _MEDIA[self.format][0] if self.format < len(_MEDIA) else "application/octet-stream"

    @property
    def suffix(self) -> str:
        """How the name of such files ends."""
        return _MEDIA[self.format][1] if self.format < len(_MEDIA) else "bin"


def read_media(body: bytes, edition: str) -> Media:
    """Reads 0x0801."""
    reader = Reader(body, "media")
    id, kind, form = reader.number(4), reader.number(1), reader.number(1)
    event, channel = reader.number(1), reader.number(1)
    location = None if edition == "2011" else read_location(reader.take(BASIC))
    return Media(id, kind, form, event, channel, location, reader.rest())


def read_batch(body: bytes) -> list[Location]:
    """Reads 0x0704: locations that were kept back."""
    reader = Reader(body, "batch")
    count, _ = reader.number(2), reader.number(1)
    found = [read_location(reader.take(reader.number(2))) for _ in range(count)]
    reader.end()
    return found


ANSWERS = {
    0x0104: read_parameters,
    0x0201: read_placed,
    0x0302: read_question,
    0x0500: read_placed,
    0x0700: read_recorder,
    0x0805: read_photos,
    0x1003: read_video_attributes,
    0x1205: read_recordings,
    0x1206: read_upload,
}
"""Messages that answer commands, beside the acknowledgement."""

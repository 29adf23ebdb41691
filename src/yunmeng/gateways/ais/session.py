"""What a receiver tells: sentences joined to messages, messages to readings and places."""

from collections.abc import Iterable, Mapping

from yunmeng.gateways.ais.codec import AisCodec
from yunmeng.gateways.ais.decoding import need_pyais, observed_at, read_message
from yunmeng.gateways.ais.messages import Foreign, Sentence
from yunmeng.kernel.base import BadInput
from yunmeng.kernel.sense import (
    Effect,
    FrameSession,
    Hub,
    Identify,
    Locate,
    Observe,
    Reassembly,
    Refuse,
    Station,
    bad_frame,
)
from yunmeng.kernel.sense.transports import transport

Part = tuple[str, str, str, str, int]
"""Group or source, sequence, channel, talker and number of the parts of a message."""

_PARTS_WITHIN_S = 5.0
_QUIET_US = 1_000_000
_STATIC_US = 3_600_000_000
_EARLIEST, _LATEST = 946_684_800, 4_102_444_800  # 2000 to 2100, in seconds
_MOST_SOURCES = 1_000


async def serve_ais(hub: Hub) -> None:
    """Hears receivers until it is cancelled.

    Raises:
        Unavailable: ``sense.extra`` without pyais.
    """
    # sessions need it: better to say so at the start than to every receiver
    need_pyais()
    await transport(hub.listen.transport)(hub)


class AisSession(FrameSession[Sentence | Foreign]):
    """Hears one receiver, or an aggregator of many; nothing is answered.

    What several receivers heard of one message is kept once. Static data that stays the same is kept once an
    hour. Option: ``station`` names the receiver when its sentences bear no source.
    """

    def __init__(self, station: Station) -> None:
        super().__init__(AisCodec())
        self._place = station
        self._parts: Reassembly[Part] = Reassembly(1 << 20, 256)
        self._nameless = station.options.get("station") or station.peer.rpartition(":")[0] or station.peer
        self._source = self._nameless
        self._divisions: dict[str, str] = {}
        self._heard_at = 0

    def received(self, data: bytes, at: int) -> Iterable[Effect]:
        """Cuts, reads and hears; a frame that is handed in again has no end of line."""
        self._heard_at = at
        return super().received(data + b"\n" if self._place.replayed else data, at)

    def tick(self, at: int) -> Iterable[Effect]:
        """Takes a line whose end does not come, as in datagrams; gives up what stays unfinished."""
        if self._buffer and at - self._heard_at >= _QUIET_US:
            yield from super().received(b"\n", at)
        for key in self._parts.stalled(at, _PARTS_WITHIN_S):
            yield self._given_up(self._parts.forget(key))

    def heard(self, message: Sentence | Foreign, frame: bytes, at: int) -> Iterable[Effect]:
        """Takes one sentence."""
        if isinstance(message, Foreign):
            return []
        tags = message.tags
        # only the first sentence of a message has to say where it comes from
        self._source = tags.get("s") or (self._source if message.number > 1 else self._nameless)
        effects = self._meet(self._source)
        if message.total == 1:
            return effects + self._say([message], at)
        key = _key(message, tags, self._source)
        if message.number not in self._parts.missing(key) and (lost := self._parts.forget(key)):
            # this one belongs to a later message: what is missing of the earlier one was lost
            effects.append(self._given_up(lost))
        whole = self._parts.add(key, message.number, message.total, frame + b"\r\n", at)
        return effects if whole is None else effects + self._join(whole, at)

    def _join(self, whole: bytes, at: int) -> list[Effect]:
        parts = [part for part in map(self.codec.decode, whole.splitlines()) if isinstance(part, Sentence)]
        try:
            return self._say(parts, at)
        except BadInput as reason:
            return [self.refused(whole, reason)]

    def _say(self, parts: list[Sentence], at: int) -> list[Effect]:
        heard_at = _received_at(parts[0], at)
        said = read_message(parts, heard_at)
        mapper = self._place.mappers.get(said.kind)
        if mapper is None:
            return []
        when, division = observed_at(said, heard_at), self._divisions[self._source]
        effects: list[Effect] = []
        reading = mapper.reading(said.mmsi, when, said.fields, division=division, quality=said.quality)
        if reading.series:
            again = when if said.second is not None else when // _STATIC_US
            effects.append(Observe((reading,), key=("".join(part.payload for part in parts), again)))
        longitude, latitude = said.fields.get("lon"), said.fields.get("lat")
        if isinstance(longitude, float) and isinstance(latitude, float):
            home = division or self._place.division
            entity = mapper.entity(said.mmsi, division)
            effects.append(Locate(entity, mapper.type.name, home, longitude, latitude, when))
        return effects

    def _meet(self, source: str) -> list[Effect]:
        if source in self._divisions:
            return []
        record = None if self._place.replayed else self._place.admit(source)
        if len(self._divisions) >= _MOST_SOURCES:
            raise bad_frame("ais", "too many sources on one connection")
        self._divisions[source] = record.division if record else ""
        return [Identify(source)]

    def _given_up(self, parts: bytes) -> Refuse:
        return self.refused(parts, bad_frame("ais", "the other parts of the message did not come"))


def _key(sentence: Sentence, tags: Mapping[str, str], source: str) -> Part:
    group = tags.get("g", "").rpartition("-")[2]
    return (group or source, sentence.sequence, sentence.channel, sentence.talker, sentence.total)


def _received_at(sentence: Sentence, at: int) -> int:
    """Returns when the receiver heard it, in microseconds: by its tag, or by the last field behind it."""
    text = sentence.tags.get("c") or sentence.tail.rpartition(",")[2]
    if not text.isdecimal() or len(text) > 13:
        return at
    seconds = int(text) / (1000 if len(text) == 13 else 1)
    return round(seconds * 1e6) if _EARLIEST < seconds < _LATEST else at

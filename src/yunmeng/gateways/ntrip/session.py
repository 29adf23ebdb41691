"""A source of corrections: good frames are relayed, bad ones set aside, its state is told now and then."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from yunmeng.gateways.ntrip.messages import read_message
from yunmeng.gateways.ntrip.rtcm import RtcmCodec
from yunmeng.gateways.ntrip.status import Status
from yunmeng.kernel.base import BadInput
from yunmeng.kernel.sense import (
    Describe,
    Effect,
    FrameSession,
    Identify,
    Locate,
    Observe,
    Refuse,
    Station,
)

TABLE = "station"
PIECE = 4096
"""So many bytes are heard at once: what is no RTCM is noticed soon."""
_MOST_BAD = 100
"""A source that says so many things in a row that are no frames does not speak RTCM."""


class SourceSession(FrameSession[bytes]):
    """Hears one mount point; ``relay`` takes each good frame at once, ``load`` says more of the mount point.

    Option ``every``: seconds between two reports, 10 when left out.
    """

    def __init__(
        self,
        station: Station,
        mount: str = "",
        relay: Callable[[bytes], None] = lambda _: None,
        load: Callable[[], Mapping[str, int]] = dict[str, int],
    ) -> None:
        super().__init__(RtcmCodec())
        self._place = station
        self._mount = mount
        self._relay = relay
        self._load = load
        self._every_us = int(seconds(station.options, "every", "10") * 1e6)
        self._reported_at = 0
        self._bad_in_a_row = 0
        self.status = Status()

    @property
    def hopeless(self) -> bool:
        """Whether what comes is no RTCM: whoever carries it should hang up."""
        return self._bad_in_a_row >= _MOST_BAD

    def opened(self, at: int) -> Iterable[Effect]:
        """The source was let in under its mount point."""
        self._reported_at = at
        return [Identify(self._mount)]

    def heard(self, message: bytes, frame: bytes, at: int) -> list[Effect]:
        """Relays a frame, and tells place and equipment when they are new."""
        self._bad_in_a_row = 0
        self._relay(frame)
        if not message:  # a frame that fills the line
            return []
        heard = read_message(message)
        is_new = self.status.heard(heard, len(frame))
        if self._place.replayed and not self._mount and heard.station is not None:
            self._mount = str(heard.station)
        return self._told(at) if is_new and self._mount else []

    def refused(self, frame: bytes, reason: BadInput) -> Refuse:
        """Counts a frame that is not relayed."""
        self.status.bad += 1
        self._bad_in_a_row += 1
        return Refuse(frame, reason)

    def tick(self, at: int) -> list[Effect]:
        """Reports how the station does; one that said nothing is not reported."""
        passed = at - self._reported_at
        if passed < self._every_us:
            return []
        self._reported_at = at
        if self.status.silent:
            return []
        fields = {**self.status.report(passed / 1e6), **self._load()}
        mapper = self._place.mappers[TABLE]
        return [Observe((mapper.reading(self._mount, at, fields, division=self._division),))]

    @property
    def _division(self) -> str:
        record = self._place.devices.find(self._place.gateway, self._mount)
        return (record and record.division) or self._place.division

    def _told(self, at: int) -> list[Effect]:
        mapper = self._place.mappers[TABLE]
        entity, type_ = mapper.entity(self._mount), mapper.type.name
        body: dict[str, Any] = {"id": entity, "type": type_, "division": self._division, "name": self._mount}
        if self.status.station is not None:
            body["referenceStationId"] = self.status.station
        if (equipment := self.status.equipment) is not None:
            told = {
                "antennaType": equipment.antenna,
                "antennaSerialNumber": equipment.antenna_serial,
                "receiverType": equipment.receiver,
                "receiverFirmware": equipment.firmware,
                "receiverSerialNumber": equipment.receiver_serial,
            }
            body |= {name: text for name, text in told.items() if text}
        effects: list[Effect] = [Describe((body,))]
        if (position := self.status.position) is not None:
            longitude, latitude, _ = position.geodetic()
            effects.append(Locate(entity, type_, self._division, round(longitude, 9), round(latitude, 9), at))
        return effects


def seconds(options: Mapping[str, str], name: str, usual: str) -> float:
    """Returns a time of the options. Raises ``BadInput("sense.option")``."""
    text = options.get(name, usual)
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.1 <= number < 1e6:
        raise BadInput("sense.option", name="ntrip", option=name, value=text)
    return number

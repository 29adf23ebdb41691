"""CP56Time2a, the time of seven octets (101, 7.2.6.18)."""

from datetime import UTC, datetime, timedelta, timezone

from yunmeng.kernel.base import BadInput

_BEIJING = timezone(timedelta(hours=8))
_ZONES = {"beijing": _BEIJING, "utc": UTC}
_HOUR = timedelta(hours=1)
_INVALID, _SUMMER = 0x80, 0x80


class Clock:
    """Reads and writes times of a station whose clock shows ``beijing`` time (UTC+8) or ``utc``."""

    def __init__(self, zone: str = "beijing") -> None:
        if zone not in _ZONES:
            raise BadInput("sense.option", name="iec104", option="time", value=zone)
        self._zone = _ZONES[zone]

    def read(self, octets: bytes) -> int | None:
        """Returns microseconds UTC, None for a time that the station marks as invalid (IV) or that is none.

        With the bit SU the clock was an hour ahead for the summer.
        """
        second, millisecond = divmod(int.from_bytes(octets[:2], "little"), 1000)
        minute, hour, day, month, year = octets[2:7]
        if minute & _INVALID:
            return None
        try:
            moment = datetime(
                2000 + (year & 0x7F),
                month & 0x0F,
                day & 0x1F,
                hour & 0x1F,
                minute & 0x3F,
                second,
                millisecond * 1000,
                tzinfo=self._zone,
            )
        except ValueError:
            return None
        if hour & _SUMMER:
            moment -= _HOUR
        return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    def write(self, at: int) -> bytes:
        """Writes microseconds UTC, to the millisecond, with the day of the week."""
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)
        local = moment.astimezone(self._zone)
        milliseconds = local.second * 1000 + local.microsecond // 1000
        day = local.day | local.isoweekday() << 5
        return milliseconds.to_bytes(2, "little") + bytes(
            (local.minute, local.hour, day, local.month, local.year % 100)
        )

"""Payloads in JSON → readings of devices."""

from collections.abc import Iterator, Mapping

import msgspec

from yunmeng.gateways.mqtt.tables import TopicRow
from yunmeng.kernel.base import BadInput
from yunmeng.kernel.sense import DocumentReader, Found

_decode = msgspec.json.Decoder().decode


class JsonReader:
    """Reads the payloads of one table. Raises ``BadInput("sense.path")`` for a path that is none."""

    def __init__(self, row: TopicRow) -> None:
        self._reader = DocumentReader(row)

    def read(self, names: Mapping[str, str], topic: str, payload: bytes, at: int) -> Iterator[Found]:
        """Yields device, time (microseconds UTC) and fields of each reading; ``at`` where none stands.

        Raises:
            BadInput: ``mqtt.payload`` with the topic and what is wrong.
        """
        try:
            yield from self._reader.read(names.get("device", ""), _decode(payload), at)
        except ValueError as cause:  # msgspec's errors are ValueErrors
            raise BadInput("mqtt.payload", topic=topic, reason=str(cause)) from cause
        except (RecursionError, OverflowError) as cause:
            raise BadInput("mqtt.payload", topic=topic, reason=type(cause).__name__) from cause

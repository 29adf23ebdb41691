"""Last values on their way out: merged into the stored document as the attribute's default instance."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from yunmeng.kernel.base import YunmengError, format_us, instant_us
from yunmeng.kernel.model import Quality
from yunmeng.kernel.store.state.telemetry import json_value

QUALITY = "https://w3id.org/yunmeng/quality"
"""The sub-attribute that says how far a last value can be trusted, when it is not GOOD."""

_VALUE_MEMBERS = (
    "value",
    "object",
    "vocab",
    "valueList",
    "objectList",
    "languageMap",
    "json",
    "unitCode",
    QUALITY,
)
_encode = msgspec.json.Encoder().encode
_outline = msgspec.json.Decoder(dict[str, msgspec.Raw])
_instances = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_qualities = {int(quality): quality.name for quality in Quality}


class Last(NamedTuple):
    """One kept telemetry value; ``observed_at`` is in microseconds UTC."""

    attribute: str
    observed_at: int
    number: float | None
    text: str | None
    quality: int
    unit: str


def merge(body: bytes, values: Sequence[Last], *, overlap: bool) -> bytes:
    """Returns the document with the last values in it; bytes that it does not concern stay as they are.

    ``overlap`` says that some of the attributes are in the document already: there the newer ``observedAt``
    wins (telemetry, when the stored instance has none) and sub-attributes are kept.
    """
    if not values:
        return body
    if overlap:
        return _merge_parsed(body, values)
    parts = [_encode(value.attribute) + b":[" + _instance(value) + b"]" for value in values]
    return body[:-1] + b"," + b",".join(parts) + b"}"


def _merge_parsed(body: bytes, values: Sequence[Last]) -> bytes:
    document: dict[str, Any] = dict(_outline.decode(body))
    for value in values:
        stored = document.get(value.attribute)
        document[value.attribute] = _combine(_instances.decode(stored) if stored is not None else [], value)
    return _encode(document)


def _combine(instances: list[dict[str, msgspec.Raw]], value: Last) -> list[Any]:
    place = next((i for i, instance in enumerate(instances) if "datasetId" not in instance), None)
    if place is None:
        return [msgspec.Raw(_instance(value)), *instances]
    stored = instances[place]
    if _observed_at(stored) > value.observed_at:
        return list(instances)
    kept = {member: raw for member, raw in stored.items() if member not in _VALUE_MEMBERS}
    merged = kept | {member: msgspec.Raw(raw) for member, raw in _members(value).items()}
    return [*instances[:place], merged, *instances[place + 1 :]]


def _observed_at(instance: dict[str, msgspec.Raw]) -> int:
    raw = instance.get("observedAt")
    if raw is None:
        return -(1 << 63)
    try:
        return instant_us(msgspec.json.decode(raw))
    except YunmengError:
        return -(1 << 63)


def _members(value: Last) -> dict[str, bytes]:
    members = {
        "type": b'"Property"',
        "value": json_value(value.number, value.text),
        "observedAt": b'"' + format_us(value.observed_at).encode() + b'"',
    }
    if value.unit:
        members["unitCode"] = _encode(value.unit)
    if value.quality != Quality.GOOD:
        name = _qualities.get(value.quality, str(value.quality)).encode()
        members[QUALITY] = b'[{"type":"Property","value":"' + name + b'"}]'
    return members


def _instance(value: Last) -> bytes:
    return b"{" + b",".join(b'"%s":%s' % (name.encode(), raw) for name, raw in _members(value).items()) + b"}"

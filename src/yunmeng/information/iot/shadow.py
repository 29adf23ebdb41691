"""What a device should be like and what it is 设备影子: ``desired`` and ``reported``, side by side."""

from collections.abc import Mapping
from typing import Any, cast

from yunmeng.kernel.base import Unavailable, YunmengError

_NONE = object()

Device = Mapping[str, Any]


def wished(wanted: Mapping[str, object], *, sent: bool) -> dict[str, Any]:
    """Returns what a device's entity says once somebody wishes for something; ``sent``: and sends it."""
    state = "sent" if sent else "pending"
    return {"desired": _json(wanted), "configurationState": state, "configurationReason": "-"}


def missing(device: Device) -> dict[str, object]:
    """Returns what is desired of a device and not yet reported by it."""
    reported = _part(device, "reported")
    return {
        name: value for name, value in _part(device, "desired").items() if reported.get(name, _NONE) != value
    }


def confirmed(sent: Mapping[str, object], device: Device) -> dict[str, Any]:
    """Returns what its entity says once it has confirmed what was sent."""
    reported = {**_part(device, "reported"), **sent}
    left = missing({**device, "reported": reported})
    state = "pending" if left else "applied"
    return {"reported": _json(reported), "configurationState": state, "configurationReason": "-"}


def refused(error: YunmengError) -> dict[str, Any]:
    """Returns what its entity says once the device, or its gateway, has refused what is wished for."""
    return {"configurationState": "refused", "configurationReason": f"{error.key}: {error}"}


def unanswered(error: Unavailable) -> dict[str, Any]:
    """Returns what its entity says once it was sent something and did not answer: it is asked again."""
    return {"configurationState": "pending", "configurationReason": f"{error.key}: {error}"}


def _part(device: Device, name: str) -> dict[str, object]:
    found = device.get(name)
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}


def _json(value: Mapping[str, object]) -> dict[str, Any]:
    return {"type": "JsonProperty", "json": dict(value)}

"""The schemas of every version, as the library ``ocpp`` carries them; nothing else touches that library."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
# pyright: reportUnknownArgumentType=false

import decimal
from collections.abc import Iterable
from functools import cache
from typing import Any, cast

import msgspec
from ocpp.messages import get_validator
from ocpp.v16.enums import Action as Action16
from ocpp.v21.enums import Action as Action21
from ocpp.v201.enums import Action as Action201

from yunmeng.gateways.ocpp.messages import Payload

VERSIONS = {"ocpp1.6": "1.6", "ocpp2.0.1": "2.0.1", "ocpp2.1": "2.1"}
"""The versions by their WebSocket sub-protocols."""
REQUEST, RESPONSE = 2, 3
_MOST = 2**53
"""No number is beyond this: up to here every whole number is exact."""
_SENT = "NotifyPeriodicEventStream"
_TENTHS = {("SetChargingProfile", 2), ("RemoteStartTransaction", 2), ("GetCompositeSchedule", 3)}
"""What has to be a multiple of 0.1 in 1.6: in binary fractions hardly anything is."""
_ACTIONS = {"1.6": Action16, "2.0.1": Action201, "2.1": Action21}
_CODES = {
    "type": "TypeConstraintViolation",
    "maxLength": "TypeConstraintViolation",
    "additionalProperties": "FormatViolation",
    "required": "OccurrenceConstraintViolation",
    "minItems": "OccurrenceConstraintViolation",
    "maxItems": "OccurrenceConstraintViolation",
}
_SPELT = {
    "1.6": {
        "FormatViolation": "FormationViolation",
        "OccurrenceConstraintViolation": "OccurenceConstraintViolation",
        "RpcFrameworkError": "",
        "MessageTypeNotSupported": "",
    },
    "2.0.1": {"OccurrenceConstraintViolation": "OccurenceConstraintViolation"},
}
"""Misspellings that the standards keep (errata of 1.6J, 5.1 and 5.2), and what 1.6 does not answer."""


class Violation(msgspec.Struct, frozen=True):
    """Why a payload is none of its action: the code of the CALLERROR, and the place and reason."""

    code: str
    reason: str


@cache
def actions(version: str) -> frozenset[str]:
    """Returns the actions of a version."""
    return frozenset(str(action.value) for action in cast("Iterable[Any]", _ACTIONS[version]))


def spelt(version: str, code: str) -> str:
    """Returns an error code as the version spells it, empty where it has no answer."""
    return _SPELT.get(version, {}).get(code, code)


def violation(version: str, kind: int, action: str, payload: Payload) -> Violation | None:
    """Checks a payload against the schema of its action, which has to be one of :func:`actions`."""
    exact = version == "1.6" and (action, kind) in _TENTHS
    parse = decimal.Decimal if exact else float
    # the schema of the one message that nobody answers has no suffix
    sort = 0 if action == _SENT else kind
    validator = get_validator(sort, action, version, parse_float=parse)
    body = _exact(payload) if exact else payload
    for error in validator.iter_errors(body):
        place = ".".join(map(str, error.absolute_path)) or action
        code = _CODES.get(str(error.validator), "PropertyConstraintViolation")
        return Violation(code, f"{place}: {error.message}")
    if _is_giant(payload):
        return Violation("PropertyConstraintViolation", f"{action}: a number beyond 2^53")
    return None


def _is_giant(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_is_giant, cast("dict[str, Any]", value).values()))
    if isinstance(value, list):
        return any(map(_is_giant, cast("list[Any]", value)))
    return isinstance(value, int | float) and not -_MOST <= value <= _MOST


def _exact(value: Any) -> Any:
    if isinstance(value, float):
        return decimal.Decimal(repr(value))
    if isinstance(value, dict):
        return {name: _exact(each) for name, each in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_exact(each) for each in cast("list[Any]", value)]
    return value

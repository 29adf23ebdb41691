"""What a call to the console asks: division, time range, page; an error names the parameter."""

from dataclasses import dataclass

from yunmeng.kernel.base import BadInput, division, division_prefix, divisions, instant_us, now_us
from yunmeng.kernel.serve import Call
from yunmeng.kernel.trust import Reach

HOUR_US = 3_600_000_000
_LONGEST_US = 400 * 24 * HOUR_US
_PERIODS_S = (60, 300, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 604_800)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From ``start`` to ``end``, in microseconds UTC."""

    start: int
    end: int

    def period_s(self, wanted: int = 0, most: int = 300) -> int:
        """Returns the width of a step in seconds that gives at most about ``most`` steps."""
        least = (self.end - self.start) / 1_000_000 / most
        return next((one for one in (wanted, *_PERIODS_S) if one and one >= least), _PERIODS_S[-1])


def asked_division(call: Call) -> str:
    """Returns the code of ``division=``, else the caller's home. Raises ``BadInput("division.unknown")``."""
    code = call.request.query_params.get("division")
    return division(code).code if code else home(call)


def home(call: Call) -> str:
    """Returns the division that the caller begins with: the node's, or the first of it in reach."""
    own, prefixes = call.services.settings.node.division, call.reach.prefixes
    if prefixes is None or division_prefix(own).startswith(prefixes):
        return own
    return next((one.code for one in divisions() if division_prefix(one.code).startswith(prefixes)), own)


def narrowed(reach: Reach, code: str) -> Reach:
    """Returns the part of a reach that lies in a division; an empty one when they do not meet."""
    prefix = division_prefix(code)
    if reach.prefixes is None:
        return Reach(reach.tenant, (prefix,))
    if any(prefix.startswith(own) for own in reach.prefixes):
        return Reach(reach.tenant, (prefix,))
    return Reach(reach.tenant, tuple(own for own in reach.prefixes if own.startswith(prefix)))


def asked_range(call: Call, hours: float = 24) -> TimeRange:
    """Returns the range of ``from=`` and ``to=`` (ISO 8601 with offset); the last ``hours`` when absent."""
    params = call.request.query_params
    end = instant_us(params["to"]) if params.get("to") else now_us()
    start = instant_us(params["from"]) if params.get("from") else end - int(hours * HOUR_US)
    if start >= end or end - start > _LONGEST_US:
        value = f"{params.get('from', '')}..{params.get('to', '')}"
        raise BadInput(
            "console.parameter.bad", name="from..to", value=value, wanted="a range of at most 400 days"
        )
    return TimeRange(start, end)


def asked_number(call: Call, name: str, default: int, most: int) -> int:
    """Returns a whole number between 0 and ``most``; raises ``BadInput("console.parameter.bad")``."""
    text = call.request.query_params.get(name)
    if text is None:
        return default
    if not text.isdecimal() or len(text) > 9 or int(text) > most:
        raise BadInput("console.parameter.bad", name=name, value=text, wanted=f"0..{most}")
    return int(text)

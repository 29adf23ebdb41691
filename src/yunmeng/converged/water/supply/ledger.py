"""The ledger of water permits 取水许可台账: what may be taken, and what the meters say was taken."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from yunmeng.kernel.base import BadInput, division

Source = Literal["surface", "groundwater", "other"]
State = Literal["valid", "expired", "suspended", "revoked"]
Verdict = Literal["within", "near", "over", "unpermitted", "unmetered"]

_NEAR = 0.9


@dataclass(frozen=True, slots=True)
class Permit:
    """A permit (取水许可和水资源费征收管理条例, 国务院令第 460 号); volumes in m³ a year.

    ``planned`` is the year's plan within the permitted ``quota``; 0 when none was given.
    """

    code: str
    holder: str
    division: str
    industry: str
    source: Source
    quota: float
    valid_from: date
    valid_to: date
    planned: float = 0.0
    state: State = "valid"

    def holds(self, day: date) -> bool:
        """Tells whether water may be taken under it on a day."""
        return self.state == "valid" and self.valid_from <= day <= self.valid_to


@dataclass(frozen=True, slots=True)
class Balance:
    """How a holder stands in a year: ``taken`` m³ so far, ``share`` of the plan or quota (NaN without one).

    ``projected`` is the year's volume if the days to come are like the days so far; ``missing`` are days
    without a reading, which are no zeros: the projection leaves them out.
    """

    permit: str
    taken: float
    share: float
    projected: float
    missing: int
    verdict: Verdict


def balance(permit: Permit | None, code: str, daily: Mapping[date, float | None], until: date) -> Balance:
    """Weighs what was taken this year against a permit.

    ``daily`` is m³ by day, None for a day without a reading; ``until`` is the last day counted. ``near`` is
    90 % of the plan (or quota); also a projection over the quota is ``near``.

    Raises:
        BadInput: ``water.negative`` for a day with a negative volume.
    """
    first = date(until.year, 1, 1)
    days = [day for day in daily if first <= day <= until]
    metered = {day: volume for day in days if (volume := daily[day]) is not None}
    for day, volume in metered.items():
        if not volume >= 0:
            raise BadInput("water.negative", name=code, at=day.isoformat(), value=volume)
    taken, passed = sum(metered.values()), (until - first).days + 1
    year = 366 if first.replace(month=12, day=31).timetuple().tm_yday == 366 else 365
    projected = taken / len(metered) * year if metered else float("nan")
    allowed = (permit.planned or permit.quota) if permit else 0.0
    share = taken / allowed if allowed else float("nan")
    verdict = _verdict(permit, metered, share, projected, until)
    return Balance(permit.code if permit else code, taken, share, projected, passed - len(metered), verdict)


def check_permits(permits: Iterable[Permit]) -> Sequence[Permit]:
    """Returns permits that are sound, or refuses all.

    Raises:
        BadInput: ``water.permit`` naming code and reason: a code twice, an unknown division, a quota that is
        not
            positive, a plan above the quota, an end before its beginning.
    """
    sound: dict[str, Permit] = {}
    for permit in permits:
        division(permit.division)
        reason = _fault(permit, sound)
        if reason:
            raise BadInput("water.permit", code=permit.code, reason=reason)
        sound[permit.code] = permit
    return list(sound.values())


def _fault(permit: Permit, known: Mapping[str, Permit]) -> str:
    if permit.code in known:
        return "twice"
    if not permit.quota > 0:
        return f"quota {permit.quota}"
    if permit.planned > permit.quota:
        return f"planned {permit.planned} > quota {permit.quota}"
    return f"{permit.valid_to} < {permit.valid_from}" if permit.valid_to < permit.valid_from else ""


def _verdict(
    permit: Permit | None, metered: Mapping[date, float], share: float, projected: float, until: date
) -> Verdict:
    if permit is None or not permit.holds(until):
        return "unpermitted" if sum(metered.values()) > 0 else "unmetered"
    if not metered:
        return "unmetered"
    if sum(metered.values()) > permit.quota or share > 1.0:
        return "over"
    return "near" if share >= _NEAR or projected > permit.quota else "within"

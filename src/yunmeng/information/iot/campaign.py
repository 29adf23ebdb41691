"""A firmware campaign: devices in waves, and a rule that stops it; what is decided, not how it is done.

A small first wave finds what is wrong with the firmware before everybody has it. The devices of a wave are
drawn from all of them by a hash, so that the first is no single street or batch of deliveries.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, cast

import msgspec

from yunmeng.information.iot.firmware import Firmware
from yunmeng.kernel.base import BadInput

State = Literal["running", "paused", "stopped", "cancelled", "done"]
UpdateState = Literal["pending", "sent", "downloading", "applied", "failed", "skipped"]

OPEN: frozenset[UpdateState] = frozenset(("pending", "sent", "downloading"))
STEPS: Mapping[str, tuple[State, ...]] = {
    "running": ("paused", "cancelled"),
    "paused": ("running", "cancelled"),
    "stopped": ("running", "cancelled"),
}
"""What a person may make of a campaign."""

MOST_AT_ONCE = 500
_TOLD: Mapping[str, UpdateState] = {"applied": "applied", "failed": "failed"}


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How somebody wants a campaign to go.

    ``waves`` are shares of the devices ("5%") or numbers, each with those before; ``stop_share`` is the share
    of failures in a wave above which it stops. A device has ``patience_s`` to come online in its wave, and
    ``within_s`` to apply what it was told.
    """

    waves: tuple[str | int, ...] = ("5%", "30%", "100%")
    stop_share: float = 0.1
    at_once: int = 20
    patience_s: float = 86_400.0
    within_s: float = 3_600.0
    ask_every_s: float = 30.0


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """One campaign as it is kept; ``bounds`` are the waves as numbers, times are microseconds UTC.

    ``forgiven`` failures of the present wave were known when somebody let it go on.
    """

    id: str
    tenant: str
    division: str
    firmware: Firmware
    plan: Plan
    bounds: tuple[int, ...]
    by: str
    state: State = "running"
    wave: int = 0
    began: int = 0
    reason: str = ""
    forgiven: int = 0


@dataclass(slots=True)
class Update:
    """How one device fares in a campaign; ``since`` is when it came into its state."""

    id: str
    device: str
    wave: int
    state: UpdateState = "pending"
    since: int = 0
    reason: str = ""
    asked: int = 0

    @property
    def is_open(self) -> bool:
        """Whether something is still to happen."""
        return self.state in OPEN


def read_plan(given: Mapping[str, object]) -> Plan:
    """Reads a plan. Raises ``BadInput("campaign.plan")``."""
    try:
        plan = msgspec.convert(dict(given), Plan, strict=False)
    except msgspec.ValidationError as cause:
        raise BadInput("campaign.plan", reason=str(cause)) from cause
    if not 0 <= plan.stop_share <= 1:
        raise BadInput("campaign.plan", reason="0 <= stop_share <= 1")
    if not 1 <= plan.at_once <= MOST_AT_ONCE:
        raise BadInput("campaign.plan", reason=f"1 <= at_once <= {MOST_AT_ONCE}")
    if min(plan.patience_s, plan.within_s, plan.ask_every_s) <= 0:
        raise BadInput("campaign.plan", reason="patience_s, within_s, ask_every_s > 0")
    return plan


def bounds_of(waves: Sequence[str | int], count: int) -> tuple[int, ...]:
    """Returns how many devices each wave has reached, rising to all of them.

    Raises:
        BadInput: ``campaign.plan`` for a wave that is no number or does not rise.
    """
    bounds: list[int] = []
    for wave in waves:
        reached = min(count, _reached(str(wave), count))
        if bounds and reached < bounds[-1]:
            raise BadInput("campaign.plan", reason=f"waves: {wave}")
        if not bounds or reached > bounds[-1]:
            bounds.append(reached)
    if not bounds or bounds[-1] < count:
        bounds.append(count)
    return tuple(bounds)


def _reached(wave: str, count: int) -> int:
    share = wave.endswith("%")
    try:
        number = float(wave.removesuffix("%"))
    except ValueError as cause:
        raise BadInput("campaign.plan", reason=f"waves: {wave}") from cause
    if not 0 < number <= (100 if share else count + 1_000_000):
        raise BadInput("campaign.plan", reason=f"waves: {wave}")
    # a share of few devices is at least one
    return max(1, round(count * number / 100)) if share else int(number)


def drawn(campaign: str, devices: Iterable[str]) -> list[str]:
    """Returns the devices in the order in which the campaign takes them."""
    return sorted(devices, key=lambda device: sha256(f"{campaign} {device}".encode()).digest())


def verdict(campaign: Campaign, updates: Iterable[Update]) -> Literal["go-on", "stop", "next", "done"]:
    """Returns what becomes of a running campaign, by how the devices of its wave fare."""
    wave = [update for update in updates if update.wave == campaign.wave]
    failed = sum(update.state == "failed" for update in wave)
    if wave and failed - campaign.forgiven > campaign.plan.stop_share * len(wave):
        return "stop"
    if any(update.is_open for update in wave):
        return "go-on"
    return "next" if campaign.wave + 1 < len(campaign.bounds) else "done"


def told(result: object) -> UpdateState:
    """Returns how far a device is by its gateway's answer: what it says, else the device works on it."""
    state = cast("dict[str, object]", result).get("state") if isinstance(result, dict) else None
    return _TOLD.get(str(state), "downloading")

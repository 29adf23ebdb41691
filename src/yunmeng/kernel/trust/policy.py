"""The one decision point: who may do what, and how far the one who may sees."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import msgspec
from msgspec.structs import replace

from yunmeng.kernel.base import BadInput, Forbidden, Unauthenticated, ancestors, division_prefix
from yunmeng.kernel.trust.cedar import Facts, Rules
from yunmeng.kernel.trust.principal import Principal, Reach

ADMINISTRATOR = "administrator"
ROLES = (ADMINISTRATOR, "operator", "analyst", "viewer", "auditor", "service", "device", "node")

_CACHED_DECISIONS = 8192
_COUNTY_DIGITS = 6


class Resource(msgspec.Struct, frozen=True):
    """What is acted on: one thing, or (without ``id`` and ``division``) all of a kind within reach.

    ``grade`` is its classification (1 public .. 4 core; GB/T 43697-2024).
    """

    kind: str
    id: str = ""
    tenant: str = ""
    division: str = ""
    grade: int = 1


class Decision(msgspec.Struct, frozen=True):
    """The answer: ``reach`` is what may be seen (nothing when refused), ``reasons`` are ids of rules.

    Without a rule that permits, the reason is ``no.permit``; an action outside the schema has
    ``action.unknown``, a rule that Cedar could not evaluate ``rule.failed``.
    """

    allowed: bool
    reach: Reach
    reasons: tuple[str, ...]


class Policy:
    """Decides by one Cedar policy set, parsed once; decisions are cached by the attributes that matter.

    ``node_division`` is what administrators without divisions of their own reach (empty: all).
    ``folder`` holds the operator's own ``*.cedar`` files, read in the order of their names.

    Raises:
        BadInput: ``policy.bad``, ``policy.unnamed`` or ``policy.twice``, with file and line.
    """

    def __init__(self, node_division: str = "", folder: Path | None = None) -> None:
        files = sorted(folder.glob("*.cedar")) if folder else []
        self._rules = Rules(files)
        self._node = (node_division,) if node_division else ()
        # The built-in rules name no single principal or resource; the operator's may.
        self._by_id = bool(files)
        self._cached = lru_cache(maxsize=_CACHED_DECISIONS)(self._decide)

    @property
    def actions(self) -> frozenset[str]:
        """Every action that the schema knows."""
        return self._rules.actions

    def decide(self, principal: Principal, action: str, resource: Resource) -> Decision:
        """Returns whether the principal may, and how far; never raises, refuses what it does not know."""
        if not self._by_id:
            principal, resource = replace(principal, id=""), replace(resource, id="")
        return self._cached(principal, action, resource)

    def require(self, principal: Principal, action: str, resource: Resource) -> Decision:
        """Returns the decision that allows it.

        Raises:
            Unauthenticated: ``session.missing`` when nobody is signed in.
            Forbidden: ``policy.refused`` with the action and the reasons.
        """
        decision = self.decide(principal, action, resource)
        if decision.allowed:
            return decision
        if principal.kind == "anonymous":
            raise Unauthenticated("session.missing", action=action)
        raise Forbidden("policy.refused", action=action, reasons=", ".join(decision.reasons))

    def facts(self, principal: Principal, action: str, resource: Resource) -> Facts:
        """Returns the question as Cedar gets it."""
        divisions = self._divisions(principal.roles, principal.divisions)
        return Facts(
            principal=principal.id,
            kind=principal.kind,
            principal_tenant=principal.tenant,
            roles=principal.roles,
            divisions=divisions,
            everywhere=not divisions and ADMINISTRATOR in principal.roles,
            clearance=principal.clearance,
            action=action,
            resource=resource.id,
            resource_kind=resource.kind,
            resource_tenant=resource.tenant,
            ancestors=_ancestors(resource.division),
            grade=resource.grade,
        )

    def _decide(self, principal: Principal, action: str, resource: Resource) -> Decision:
        nothing = Reach(resource.tenant, ())
        if action not in self._rules.actions:
            return Decision(False, nothing, ("action.unknown",))
        facts = self.facts(principal, action, resource)
        allowed, reasons = self._rules.ask(facts)
        reach = Reach(resource.tenant, _prefixes(facts)) if allowed else nothing
        return Decision(allowed, reach, reasons or ("no.permit",))

    def _divisions(self, roles: tuple[str, ...], own: tuple[str, ...]) -> tuple[str, ...]:
        return self._node if ADMINISTRATOR in roles and not own else own


def _prefixes(facts: Facts) -> tuple[str, ...] | None:
    if facts.everywhere:
        return None
    found = sorted({prefix for code in facts.divisions if (prefix := _prefix(code))})
    return tuple(prefix for prefix in found if not _covered(prefix, found))


def _prefix(code: str) -> str:
    try:
        return division_prefix(code)
    except BadInput:
        # A division that is not (or no longer) in GB/T 2260 reaches nothing.
        return ""


def _covered(prefix: str, others: Sequence[str]) -> bool:
    return any(prefix != other and prefix.startswith(other) for other in others)


def _ancestors(code: str) -> tuple[str, ...]:
    """Returns the division and all above it; one below the county (9 or 12 digits) lies in its county."""
    if not code:
        return ()
    known = code[:_COUNTY_DIGITS]
    try:
        chain = [known, *(above.code for above in ancestors(known))]
    except BadInput:
        chain = []
    return (code, *(above for above in chain if above != code))

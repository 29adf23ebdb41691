"""What one may give to another: never more than one has."""

import re
import unicodedata
from collections.abc import Collection
from typing import Literal

from yunmeng.kernel.base import BadInput, Forbidden, division, within
from yunmeng.kernel.trust.policy import ADMINISTRATOR, ROLES
from yunmeng.kernel.trust.principal import Principal

HIGHEST_GRADE = 4

SYSTEM = Principal("system", kind="node", roles=(ADMINISTRATOR,), clearance=HIGHEST_GRADE)
"""The node itself, where no person stands behind an act (first start, the demo, the command line)."""

_NAME = re.compile(r"[\w][\w.@-]{0,63}")


def canonical(name: str) -> str:
    """Returns the one spelling of an account's name: compatible characters, lower case."""
    return unicodedata.normalize("NFKC", name[:256]).strip().casefold()


def check_name(name: str) -> str:
    """Returns the name in its one spelling.

    Raises:
        BadInput: ``account.name`` unless it is 1 to 64 letters, digits and ``. _ - @``.
    """
    plain = canonical(name)
    if not _NAME.fullmatch(plain):
        raise BadInput("account.name", name=name[:64])
    return plain


def check_grant(by: Principal, to: Principal, known: Collection[str] = ROLES) -> None:
    """Accepts what ``by`` gives to ``to``.

    Raises:
        BadInput: ``account.role``, ``account.grade`` or ``division.unknown`` when there is no such thing.
        Forbidden: ``account.grant`` naming what is beyond the giver: role, tenant, division or clearance.
    """
    for role in to.roles:
        if role not in known:
            raise BadInput("account.role", role=role, known=", ".join(known))
    if not 1 <= to.clearance <= HIGHEST_GRADE:
        raise BadInput("account.grade", grade=to.clearance)
    for code in to.divisions:
        division(code)
    beyond = _beyond(by, to)
    if beyond:
        raise Forbidden("account.grant", what=beyond)


def _beyond(by: Principal, to: Principal) -> Literal["", "role", "tenant", "division", "clearance"]:
    if ADMINISTRATOR not in by.roles:
        return "role"
    if by.tenant and to.tenant != by.tenant:
        return "tenant"
    if by.divisions and not inside(by.divisions, to):
        return "division"
    return "clearance" if to.clearance > by.clearance else ""


def inside(own: tuple[str, ...], to: Principal) -> bool:
    """Returns whether somebody reaches no further than these divisions."""
    # An administrator without divisions reaches the whole node.
    if not to.divisions and ADMINISTRATOR in to.roles:
        return False
    return all(any(within(code, mine) for mine in own) for code in to.divisions)

"""What the audit log says of changes to accounts and tokens; passwords and tokens themselves never."""

from typing import Literal

from yunmeng.kernel.base import now_us
from yunmeng.kernel.trust.accounts import Account
from yunmeng.kernel.trust.audit_reader import AuditEvent
from yunmeng.kernel.trust.principal import Principal
from yunmeng.kernel.trust.records import Token

Deed = Literal["create", "update", "reset", "remove", "issue", "revoke"]


def account_deed(by: Principal, deed: Deed, account: Account) -> AuditEvent:
    """Writes down what somebody did to an account, with what it may do since."""
    may = Principal(
        f"person:{account.name}",
        tenant=account.tenant,
        roles=account.roles,
        divisions=account.divisions,
        clearance=account.clearance,
    )
    return _event(by, deed, may, {"disabled": "true"} if account.disabled else {})


def token_deed(by: Principal, deed: Deed, token: Token) -> AuditEvent:
    """Writes down what somebody did to a token, with what it may do."""
    return _event(by, deed, token.principal, {"token": token.id})


def _event(by: Principal, deed: Deed, may: Principal, more: dict[str, str]) -> AuditEvent:
    return AuditEvent(
        at=now_us(),
        principal=by.id,
        action="account.write",
        resource=may.id,
        decision="allow",
        tenant=may.tenant,
        facts={
            "deed": deed,
            "roles": " ".join(may.roles),
            "divisions": " ".join(may.divisions),
            "clearance": str(may.clearance),
            **more,
        },
    )

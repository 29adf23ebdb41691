"""Trust: who acts, what the policy allows, and the log that proves it."""

from yunmeng.kernel.trust.accounts import Account, Accounts
from yunmeng.kernel.trust.audit import AuditLog
from yunmeng.kernel.trust.audit_reader import AuditEvent, AuditReader
from yunmeng.kernel.trust.deeds import account_deed, token_deed
from yunmeng.kernel.trust.grants import SYSTEM
from yunmeng.kernel.trust.merkle import leaf_hash, proves_consistency, proves_inclusion
from yunmeng.kernel.trust.passwords import Cost
from yunmeng.kernel.trust.policy import ROLES, Decision, Policy, Resource
from yunmeng.kernel.trust.principal import ANONYMOUS, Principal, Reach
from yunmeng.kernel.trust.records import RecordStore, Token
from yunmeng.kernel.trust.sessions import Session
from yunmeng.kernel.trust.verify import Fault, Report, verify

__all__ = [
    "ANONYMOUS",
    "ROLES",
    "SYSTEM",
    "Account",
    "Accounts",
    "AuditEvent",
    "AuditLog",
    "AuditReader",
    "Cost",
    "Decision",
    "Fault",
    "Policy",
    "Principal",
    "Reach",
    "RecordStore",
    "Report",
    "Resource",
    "Session",
    "Token",
    "account_deed",
    "leaf_hash",
    "proves_consistency",
    "proves_inclusion",
    "token_deed",
    "verify",
]

"""Trust: who acts, what the policy allows, and the log that proves it."""

from yunmeng.kernel.trust.audit import AuditLog
from yunmeng.kernel.trust.audit_reader import AuditEvent, AuditReader
from yunmeng.kernel.trust.merkle import leaf_hash, proves_consistency, proves_inclusion
from yunmeng.kernel.trust.policy import ROLES, Decision, Policy, Resource
from yunmeng.kernel.trust.principal import ANONYMOUS, Principal, Reach
from yunmeng.kernel.trust.verify import Fault, Report, verify

__all__ = [
    "ANONYMOUS",
    "ROLES",
    "AuditEvent",
    "AuditLog",
    "AuditReader",
    "Decision",
    "Fault",
    "Policy",
    "Principal",
    "Reach",
    "Report",
    "Resource",
    "leaf_hash",
    "proves_consistency",
    "proves_inclusion",
    "verify",
]

"""Supply 供水: permits, metered abstraction, ecological flow; pure functions on tables and arrays."""

from yunmeng.converged.water.supply.ecological import Guarantee, guarantee
from yunmeng.converged.water.supply.ledger import Balance, Permit, balance, check_permits
from yunmeng.converged.water.supply.statistics import Use, use_by

__all__ = [
    "Balance",
    "Guarantee",
    "Permit",
    "Use",
    "balance",
    "check_permits",
    "guarantee",
    "use_by",
]

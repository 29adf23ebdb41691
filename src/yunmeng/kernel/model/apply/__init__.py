"""What each operation does to an entity (ETSI GS CIM 009 §5.6), as pure functions."""

from yunmeng.kernel.model.apply.draft import Applied, AttributeInstance
from yunmeng.kernel.model.apply.expiry import alive, is_expired, next_expiry
from yunmeng.kernel.model.apply.operation import apply

__all__ = ["Applied", "AttributeInstance", "alive", "apply", "is_expired", "next_expiry"]

"""Trust: who acts, what the policy allows, and the log that proves it."""

from yunmeng.kernel.trust.principal import Principal, Reach

__all__ = ["Principal", "Reach"]

"""What a key may look like; every engine asks here before it touches anything."""

from yunmeng.kernel.base import BadInput

LONGEST = 512
_LONGEST_PART = 200


def check_key(key: str) -> str:
    """Returns the key; raises ``BadInput("object.key")`` when it is not relative and plain."""
    parts = key.split("/")
    sound = (
        0 < len(key.encode("utf-8", "replace")) <= LONGEST
        and key.isprintable()
        and "\\" not in key
        and all(0 < len(part.encode()) <= _LONGEST_PART and part not in (".", "..") for part in parts)
    )
    if not sound:
        raise BadInput("object.key", key=key)
    return key


def check_prefix(prefix: str) -> str:
    """Returns the beginning of keys to list; raises ``BadInput("object.key")`` when no key can begin so."""
    if prefix:
        check_key(prefix.removesuffix("/"))
    return prefix

"""JSON values as the type checker can follow them."""

from typing import Any, TypeGuard


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Says whether a decoded JSON value is an object."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[Any]]:
    """Says whether a decoded JSON value is an array."""
    return isinstance(value, list)

"""The object port 存: files by key (reports, pictures, maps), in a folder or an S3-compatible store."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object; ``sha256`` is of its content, ``modified_at`` is microseconds UTC."""

    key: str
    size: int
    media_type: str
    sha256: str
    modified_at: int


class Objects(Protocol):
    """Files by key: ``/``-separated, relative, without ``..``, control characters or an empty part."""

    async def put(self, key: str, data: bytes, media_type: str = "application/octet-stream") -> ObjectInfo:
        """Stores the object whole or not at all, replacing one of the same key."""
        ...

    async def get(self, key: str) -> bytes:
        """Returns the content; raises ``NotFound("object.absent")``."""
        ...

    def stream(self, key: str, chunk: int = 1 << 20) -> AsyncIterator[bytes]:
        """Yields the content in chunks."""
        ...

    async def info(self, key: str) -> ObjectInfo:
        """Describes the object; raises ``NotFound("object.absent")``."""
        ...

    async def list(self, prefix: str = "") -> Sequence[ObjectInfo]:
        """Lists objects by prefix, ordered by key."""
        ...

    async def delete(self, key: str) -> None:
        """Removes the object; one that is absent is no error."""
        ...

    async def close(self) -> None:
        """Closes the engine."""
        ...

"""Objects in an S3-compatible store, through obstore."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, cast

from yunmeng.kernel.base import NotFound, Unavailable
from yunmeng.kernel.store.objects.keys import check_key, check_prefix
from yunmeng.kernel.store.objects.port import ObjectInfo

_SHA256 = "sha256"
_OCTETS = "application/octet-stream"
_AT_ONCE = 16


class S3Objects:
    """The object port on a bucket; media type and SHA-256 are attributes of the object itself.

    Raises:
        Unavailable: ``object.extra-missing`` when obstore is not installed.
    """

    def __init__(
        self,
        bucket: str,
        *,
        endpoint: str = "",
        region: str = "",
        access_key: str = "",
        secret_key: str = "",
        prefix: str = "",
        retries: int = 3,
    ) -> None:
        try:
            import obstore
            from obstore.store import S3Store
        except ImportError as cause:
            raise Unavailable("object.extra-missing", part="obstore") from cause
        self._api: Any = obstore
        self._where = f"{endpoint or 's3:/'}/{bucket}"
        given = {
            "endpoint": endpoint,
            "region": region or "us-east-1",
            "access_key_id": access_key,
            "secret_access_key": secret_key,
        }
        config: Any = {name: value for name, value in given.items() if value}
        plain: Any = {"allow_http": endpoint.startswith("http://")}
        retry: Any = {"max_retries": retries}
        self._store: Any = S3Store(
            bucket, prefix=prefix or None, client_options=plain, retry_config=retry, **config
        )

    async def put(self, key: str, data: bytes, media_type: str = _OCTETS) -> ObjectInfo:
        """Stores the object whole or not at all, replacing one of the same key."""
        check_key(key)
        attributes = {"Content-Type": media_type, _SHA256: hashlib.sha256(data).hexdigest()}
        await self._call(
            key, self._api.put_async(self._store, key, data, attributes=attributes, use_multipart=False)
        )
        return await self.info(key)

    async def get(self, key: str) -> bytes:
        """Returns the content; raises ``NotFound("object.absent")``."""
        found = await self._call(key, self._api.get_async(self._store, check_key(key)))
        return bytes(await self._call(key, found.bytes_async()))

    async def stream(self, key: str, chunk: int = 1 << 20) -> AsyncIterator[bytes]:
        """Yields the content in chunks."""
        found = await self._call(key, self._api.get_async(self._store, check_key(key)))
        async for piece in found.stream(min_chunk_size=chunk):
            yield bytes(piece)

    async def info(self, key: str) -> ObjectInfo:
        """Describes the object; raises ``NotFound("object.absent")``."""
        options = {"head": True}
        found = await self._call(key, self._api.get_async(self._store, check_key(key), options=options))
        attributes = cast("Mapping[str, str]", found.attributes)
        return _info(key, cast("Mapping[str, Any]", found.meta), attributes)

    async def list(self, prefix: str = "") -> Sequence[ObjectInfo]:
        """Lists objects by prefix, ordered by key."""
        check_prefix(prefix)
        folder = prefix.rpartition("/")[0]
        pages = self._api.list(self._store, prefix=folder or None)
        keys = sorted(meta["path"] for meta in await self._call(prefix, pages.collect_async()))
        wanted = [key for key in keys if key.startswith(prefix)]
        turn = asyncio.Semaphore(_AT_ONCE)

        async def describe(key: str) -> ObjectInfo | None:
            async with turn:
                try:
                    return await self.info(key)
                except NotFound:
                    return None

        return [info for info in await asyncio.gather(*map(describe, wanted)) if info is not None]

    async def delete(self, key: str) -> None:
        """Removes the object; one that is absent is no error."""
        try:
            await self._call(key, self._api.delete_async(self._store, check_key(key)))
        except NotFound:
            return

    async def close(self) -> None:
        """Does nothing: obstore closes its connections with itself."""

    async def _call(self, key: str, waiting: Any) -> Any:
        from obstore.exceptions import BaseError

        try:
            return await waiting
        except FileNotFoundError as cause:
            raise NotFound("object.absent", key=key) from cause
        except BaseError as cause:
            raise Unavailable("object.store-down", url=self._where, reason=cause) from cause


def _info(key: str, meta: Mapping[str, Any], attributes: Mapping[str, str]) -> ObjectInfo:
    modified = int(meta["last_modified"].timestamp() * 1_000_000)
    media_type, digest = attributes.get("Content-Type", _OCTETS), attributes.get(_SHA256, "")
    return ObjectInfo(key, int(meta["size"]), media_type, digest, modified)

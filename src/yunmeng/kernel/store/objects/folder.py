"""Objects in a folder: content in ``content/``, what is known of it in ``about/``; never half-written."""

import asyncio
import hashlib
import os
import threading
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from yunmeng.kernel.base import Broken, NotFound, Unavailable, now_us
from yunmeng.kernel.store.objects.keys import check_key, check_prefix
from yunmeng.kernel.store.objects.port import ObjectInfo

_DRAFT = ".draft-"
# a suffix keeps the files of key "a" apart from the folder of key "a/b"
_LEAF = "@"


class _About(msgspec.Struct, frozen=True):
    content: str
    size: int
    media_type: str
    sha256: str
    modified_at: int


class FolderObjects:
    """The object port on a folder; a description names its content file, so a replacement is one rename."""

    def __init__(self, folder: Path) -> None:
        self._content = folder / "content"
        self._about = folder / "about"
        self._replacing = threading.Lock()
        for part in (self._content, self._about):
            part.mkdir(parents=True, exist_ok=True, mode=0o700)

    async def put(self, key: str, data: bytes, media_type: str = "application/octet-stream") -> ObjectInfo:
        """Stores the object whole or not at all, replacing one of the same key.

        Raises:
            Unavailable: ``object.full`` when the disk takes no more.
        """
        return await asyncio.to_thread(self._put, check_key(key), data, media_type)

    async def get(self, key: str) -> bytes:
        """Returns the content; raises ``NotFound("object.absent")``, ``Broken("object.corrupt")``."""
        return await asyncio.to_thread(self._get, check_key(key))

    async def stream(self, key: str, chunk: int = 1 << 20) -> AsyncIterator[bytes]:
        """Yields the content in chunks; a replacement meanwhile changes nothing of what is read."""
        _, file = await asyncio.to_thread(self._open, check_key(key))
        with file:
            while piece := await asyncio.to_thread(file.read, chunk):
                yield piece

    async def info(self, key: str) -> ObjectInfo:
        """Describes the object; raises ``NotFound("object.absent")``."""
        about = await asyncio.to_thread(self._read_about, check_key(key))
        return _info(key, about)

    async def list(self, prefix: str = "") -> Sequence[ObjectInfo]:
        """Lists objects by prefix, ordered by key."""
        return await asyncio.to_thread(self._list, check_prefix(prefix))

    async def delete(self, key: str) -> None:
        """Removes the object; one that is absent is no error."""
        await asyncio.to_thread(self._delete, check_key(key))

    async def close(self) -> None:
        """Does nothing: no file stays open."""

    def _put(self, key: str, data: bytes, media_type: str) -> ObjectInfo:
        content = uuid.uuid4().hex
        about = _About(content, len(data), media_type, hashlib.sha256(data).hexdigest(), now_us())
        try:
            _write(self._content_file(content), data)
            with self._replacing:
                known = self._known(key)
                _write(self._place(key), msgspec.json.encode(about))
        except OSError as cause:
            self._content_file(content).unlink(missing_ok=True)
            raise Unavailable("object.full", key=key, reason=cause) from cause
        if known is not None:
            self._content_file(known.content).unlink(missing_ok=True)
        return _info(key, about)

    def _get(self, key: str) -> bytes:
        about, file = self._open(key)
        with file:
            data = file.read()
        if hashlib.sha256(data).hexdigest() != about.sha256:
            raise Broken("object.corrupt", key=key)
        return data

    def _open(self, key: str) -> tuple[_About, BinaryIO]:
        about = self._read_about(key)
        while True:
            try:
                return about, self._content_file(about.content).open("rb")
            except FileNotFoundError as cause:
                # replaced since the description was read: the new one names another file
                newer = self._read_about(key)
                if newer == about:
                    raise Broken("object.corrupt", key=key) from cause
                about = newer

    def _list(self, prefix: str) -> Sequence[ObjectInfo]:
        known = ((key, self._known(key)) for key in self._keys(prefix))
        return [_info(key, about) for key, about in sorted(known) if about is not None]

    def _keys(self, prefix: str) -> Iterator[str]:
        root = self._about / prefix.rpartition("/")[0]
        for file in root.rglob(f"*{_LEAF}"):
            key = file.relative_to(self._about).as_posix().removesuffix(_LEAF)
            if file.is_file() and key.startswith(prefix):
                yield key

    def _delete(self, key: str) -> None:
        about = self._known(key)
        if about is not None:
            self._place(key).unlink(missing_ok=True)
            _sync_folder(self._place(key).parent)
            self._content_file(about.content).unlink(missing_ok=True)

    def _read_about(self, key: str) -> _About:
        about = self._known(key)
        if about is None:
            raise NotFound("object.absent", key=key)
        return about

    def _known(self, key: str) -> _About | None:
        try:
            return msgspec.json.decode(self._place(key).read_bytes(), type=_About)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except msgspec.DecodeError as cause:
            raise Broken("object.corrupt", key=key) from cause

    def _place(self, key: str) -> Path:
        return self._about / f"{key}{_LEAF}"

    def _content_file(self, content: str) -> Path:
        return self._content / content[:2] / content


def _info(key: str, about: _About) -> ObjectInfo:
    return ObjectInfo(key, about.size, about.media_type, about.sha256, about.modified_at)


def _write(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f"{_DRAFT}{uuid.uuid4().hex}")
    try:
        with draft.open("xb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    _sync_folder(file.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

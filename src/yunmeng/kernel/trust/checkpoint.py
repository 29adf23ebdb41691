"""Signed checkpoints: C2SP tlog-checkpoint inside a C2SP signed note, with Ed25519."""

import os
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from yunmeng.kernel.base import Broken
from yunmeng.kernel.trust.merkle import HASH_BYTES

_ED25519 = b"\x01"
_KEY_HASH_BYTES = 4
_OWNER_ONLY = 0o600
_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's promise: under this name, so many entries, this root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Returns the body that is signed."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class Verifier:
    """Checks notes; written ``<name>+<key hash>+<key>`` so that it can be read out on the telephone."""

    name: str
    key: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a verifier key.

        Raises:
            Broken: ``audit.verifier`` when it is none, or not Ed25519, or its hash does not fit.
        """
        name, _, rest = text.strip().partition("+")
        hash_, _, encoded = rest.partition("+")
        raw = _decode(encoded)
        if not name or raw is None or raw[:1] != _ED25519 or len(raw) != 1 + HASH_BYTES:
            raise Broken("audit.verifier")
        found = cls(name, raw[1:])
        if found.key_hash.hex() != hash_:
            raise Broken("audit.verifier")
        return found

    @property
    def key_hash(self) -> bytes:
        """The four bytes that name the key in a signature line."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.key).digest()[:_KEY_HASH_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_hash.hex()}+{b64encode(_ED25519 + self.key).decode()}"

    def opens(self, note: str) -> str | None:
        """Returns the text of a note that this key signed, and nothing else did; else None."""
        text, gap, line = note.partition("\n\n")
        prefix = f"— {self.name} "
        if not gap or not line.startswith(prefix) or not line.endswith("\n"):
            return None
        raw = _decode(line[len(prefix) : -1])
        if raw is None or raw[:_KEY_HASH_BYTES] != self.key_hash:
            return None
        try:
            public = Ed25519PublicKey.from_public_bytes(self.key)
            public.verify(raw[_KEY_HASH_BYTES:], f"{text}\n".encode())
        except (InvalidSignature, ValueError):
            return None
        return f"{text}\n"

    def checkpoint(self, note: str) -> Checkpoint | None:
        """Returns the checkpoint in a note that this key signed under its own name; else None."""
        text = self.opens(note)
        lines = text.split("\n") if text else []
        if len(lines) != 4 or lines[0] != self.name:
            return None
        root = _decode(lines[2])
        if root is None or len(root) != HASH_BYTES or not lines[1].isascii() or not lines[1].isdigit():
            return None
        found = Checkpoint(lines[0], int(lines[1]), root)
        return found if found.text() == text else None


class Signer:
    """Signs notes with a key that never leaves the node."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.verifier = Verifier(name, private.public_key().public_bytes_raw())

    @classmethod
    def create(cls, file: Path, name: str) -> Self:
        """Makes a new key and stores it, readable by its owner only.

        Raises:
            Broken: ``audit.key`` when the file is there already or cannot be written.
        """
        signer = cls(name, Ed25519PrivateKey.generate())
        seed = b64encode(_ED25519 + signer._private.private_bytes_raw()).decode()
        line = f"PRIVATE+KEY+{name}+{signer.verifier.key_hash.hex()}+{seed}\n"
        try:
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
            with os.fdopen(handle, "w", encoding="ascii") as out:
                out.write(line)
                out.flush()
                os.fsync(out.fileno())
        except OSError as cause:
            raise Broken("audit.key", file=str(file), reason=str(cause)) from cause
        return signer

    @classmethod
    def load(cls, file: Path) -> Self:
        """Reads a stored key.

        Raises:
            Broken: ``audit.key`` when it cannot be read, ``audit.key.open`` when others may read it.
        """
        try:
            if file.stat().st_mode & _OTHERS:
                raise Broken("audit.key.open", file=str(file))
            parts = file.read_text(encoding="ascii").strip().split("+", 4)
        except (OSError, UnicodeDecodeError) as cause:
            raise Broken("audit.key", file=str(file), reason=str(cause)) from cause
        raw = _decode(parts[-1])
        if parts[:2] != ["PRIVATE", "KEY"] or raw is None or len(raw) != 1 + HASH_BYTES:
            raise Broken("audit.key", file=str(file), reason="not an Ed25519 note key")
        return cls(parts[2], Ed25519PrivateKey.from_private_bytes(raw[1:]))

    def sign(self, text: str) -> str:
        """Returns the signed note over a text that ends in a newline."""
        signature = self.verifier.key_hash + self._private.sign(text.encode())
        return f"{text}\n— {self.verifier.name} {b64encode(signature).decode()}\n"


def _decode(text: str) -> bytes | None:
    """Decodes Base64 only in its one canonical spelling: spare bits would let a byte change unseen."""
    try:
        raw = b64decode(text, validate=True)
    except (BadBase64, ValueError):
        return None
    return raw if b64encode(raw).decode() == text else None

"""Signs MQTT devices in at the node's own listener, one by one (NATS auth callout).

The server asks on ``$SYS.REQ.USER.AUTH`` who a client is; the answer is a JWT that says what it may publish
and subscribe to, signed by a key whose public half stands in the server's configuration.
"""

import json
import logging
import time
from base64 import b32encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from yunmeng.kernel.link.nats_parser import Frame

QUESTIONS = "$SYS.REQ.USER.AUTH"
ACCOUNT = "DEVICES"
_ACCOUNT_PREFIX = 0  # of a public account key, "A…"
_HIDDEN = ["$JS.>", "$SYS.>", "_INBOX.>"]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rights:
    """What a device may do; subjects, as :func:`to_subject` makes them of topic filters."""

    publish: Sequence[str]
    subscribe: Sequence[str]


Admit = Callable[[str, str], Rights | None]
"""Takes user and password; returns the rights, None for whoever is not let in."""


class _Client(msgspec.Struct, frozen=True):
    user: str = ""
    password: str = msgspec.field(default="", name="pass")


class _Server(msgspec.Struct, frozen=True):
    id: str


class _Asked(msgspec.Struct, frozen=True):
    user_nkey: str
    server_id: _Server
    connect_opts: _Client = _Client()


class _Question(msgspec.Struct, frozen=True):
    nats: _Asked


class Doorman:
    """Answers the server's questions."""

    def __init__(self, seed: bytes, admit: Admit) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._issuer = public_key(seed)
        self._admit = admit

    def answer(self, frame: Frame) -> bytes:
        """Returns the answer to a question of the server."""
        asked = _decode(frame.data).nats
        rights = self._admit(asked.connect_opts.user, asked.connect_opts.password)
        if rights is None:
            _log.warning("MQTT: %s is not let in", asked.connect_opts.user or "a device without a name")
            said: dict[str, object] = {"error": "not let in"}
        else:
            said = {"jwt": self._user(asked, rights)}
        return self._signed(
            {
                "sub": asked.user_nkey,
                "aud": asked.server_id.id,
                "nats": {**said, "type": "authorization_response", "version": 2},
            }
        )

    def _user(self, asked: _Asked, rights: Rights) -> str:
        may = {
            "pub": {"allow": list(rights.publish), "deny": _HIDDEN},
            "sub": {"allow": list(rights.subscribe), "deny": _HIDDEN},
        }
        limits = {"subs": -1, "data": -1, "payload": -1, "allowed_connection_types": ["MQTT"]}
        claims = {
            "sub": asked.user_nkey,
            "aud": ACCOUNT,
            "name": asked.connect_opts.user,
            "nats": {**may, **limits, "type": "user", "version": 2},
        }
        return self._signed(claims).decode()

    def _signed(self, claims: dict[str, Any]) -> bytes:
        body = {"jti": uuid4().hex, "iat": int(time.time()), "iss": self._issuer, **claims}
        text = b".".join((_part({"typ": "JWT", "alg": "ed25519-nkey"}), _part(body)))
        return text + b"." + urlsafe_b64encode(self._key.sign(text)).rstrip(b"=")


def public_key(seed: bytes) -> str:
    """Returns the public half of an issuer's key as NATS writes it."""
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    raw = bytes((_ACCOUNT_PREFIX,)) + public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return b32encode(raw + _crc16(raw).to_bytes(2, "little")).rstrip(b"=").decode()


def read_seed(file: Path) -> bytes:
    """Reads the key of the issuer, 32 bytes in hex."""
    return bytes.fromhex(file.read_text().strip())


def _decode(token: bytes) -> _Question:
    part = token.split(b".")[1]
    return msgspec.json.decode(urlsafe_b64decode(part + b"=" * (-len(part) % 4)), type=_Question)


def _part(value: object) -> bytes:
    return urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=")


def _crc16(data: bytes) -> int:
    """CRC-16/XMODEM, which ends every NATS key."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc

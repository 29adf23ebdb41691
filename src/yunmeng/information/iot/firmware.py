"""Firmware: what is brought to devices, and how a kind of device is told to take it (``kinds.toml``)."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from yunmeng.information.iot.kinds import kind
from yunmeng.kernel.base import BadInput, make_urn

_SHA256 = re.compile(r"[0-9a-f]{64}")
_VERSION = re.compile(r"[\w.+-]{1,64}")


class Firmware(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A file for devices of a kind: ``url`` is where they fetch it, ``size`` is in bytes.

    ``sha256`` is of its content, in hex; ``signature`` whatever its maker signed it with.
    """

    kind: str
    version: str
    url: str = ""
    name: str = ""
    sha256: str = ""
    size: int = 0
    signature: str = ""

    @property
    def id(self) -> str:
        """The id of its entity: there is one of a version and kind."""
        return make_urn("DeviceFirmware", self.kind, self.version)


def read_firmware(given: Mapping[str, object]) -> Firmware:
    """Reads what firmware is.

    Raises:
        BadInput: ``iot.kind``, ``firmware.bad``.
    """
    try:
        read = msgspec.convert(dict(given), Firmware, strict=False)
    except msgspec.ValidationError as cause:
        raise BadInput("firmware.bad", reason=str(cause)) from cause
    kind(read.kind)
    if not _VERSION.fullmatch(read.version):
        raise BadInput("firmware.bad", reason=f"version: {read.version!r}")
    if read.sha256 and not _SHA256.fullmatch(read.sha256):
        raise BadInput("firmware.bad", reason=f"sha256: {read.sha256!r}")
    if read.url and not read.url.startswith(("http://", "https://", "ftp://", "sftp://")):
        raise BadInput("firmware.bad", reason=f"url: {read.url!r}")
    return read


def firmware_entity(firmware: Firmware, division: str) -> dict[str, Any]:
    """Returns the NGSI-LD body of firmware."""
    body: dict[str, Any] = {
        "id": firmware.id,
        "type": "DeviceFirmware",
        "division": division,
        "name": firmware.name or f"{firmware.kind} {firmware.version}",
        "deviceKind": firmware.kind,
        "firmwareVersion": firmware.version,
        "downloadUrl": firmware.url,
        "sha256": firmware.sha256,
        "signature": firmware.signature,
        "fileSize": {"type": "Property", "value": firmware.size, "unitCode": "AD"},
    }
    return {name: value for name, value in body.items() if value != ""}


def of_entity(plain: Mapping[str, Any]) -> Firmware:
    """Returns firmware as its entity, in simplified form, says it."""
    return Firmware(
        kind=str(plain["deviceKind"]),
        version=str(plain["firmwareVersion"]),
        url=str(plain.get("downloadUrl", "")),
        name=str(plain.get("name", "")),
        sha256=str(plain.get("sha256", "")),
        size=int(plain.get("fileSize", 0)),
        signature=str(plain.get("signature", "")),
    )


def order_of(firmware: Firmware) -> tuple[str, dict[str, str]]:
    """Returns the command, and its arguments, by which devices of the kind are told to take it."""
    how = kind(firmware.kind).firmware
    facts = {name: str(value) for name, value in msgspec.structs.asdict(firmware).items()}
    return how.command, {name: text.format(**facts) for name, text in how.arguments.items()}

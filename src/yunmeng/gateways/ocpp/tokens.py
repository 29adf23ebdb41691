"""Who may charge: the tokens (cards, apps, contracts) of a file, read again whenever it changes.

The file is a CSV table with the columns ``token``, and where they are wanted ``type`` (ISO14443, eMAID, …),
``status`` (Accepted when empty, or Blocked), ``expires`` (RFC 3339), ``group`` and ``language``.
"""

import csv
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from yunmeng.kernel.base import BadInput, YunmengError, format_us, instant_us

_log = logging.getLogger("yunmeng.sense")
_LOOK_EVERY_US = 1_000_000
_STATUS = ("Accepted", "Blocked", "Expired", "Invalid")


class Token(msgspec.Struct, frozen=True):
    """One token; ``expires`` in microseconds UTC."""

    token: str
    type: str = ""
    status: str = "Accepted"
    expires: int | None = None
    group: str = ""
    language: str = ""

    def state(self, at: int) -> str:
        """Returns whether it may charge now: Accepted, or why not."""
        return "Expired" if self.expires is not None and self.expires <= at else self.status


class Tokens:
    """Every token that may charge here; without a file everybody may."""

    def __init__(self, file: str = "") -> None:
        self._file = Path(file) if file else None
        self._known: Mapping[str, Token] = {}
        self._changed = -1
        self._looked = 0
        if self._file is not None:
            self._read(self._file)

    def all(self, at: int) -> list[Token]:
        """Returns the tokens, in the order of the file."""
        self._look(at)
        return list(self._known.values())

    def find(self, token: str, at: int) -> Token:
        """Returns a token; one that nobody knows has the status Invalid. Case does not matter."""
        self._look(at)
        if self._file is None:
            return Token(token)
        return self._known.get(token.casefold()) or Token(token, status="Invalid")

    def _look(self, at: int) -> None:
        if self._file is None or 0 <= at - self._looked < _LOOK_EVERY_US:
            return
        self._looked = at
        try:
            if self._file.stat().st_mtime_ns != self._changed:
                self._read(self._file)
        except (YunmengError, OSError) as cause:
            # a table that is being written is no reason to let nobody charge
            _log.warning("ocpp: %s", cause)

    def _read(self, file: Path) -> None:
        try:
            self._changed = file.stat().st_mtime_ns
            with file.open(encoding="utf-8-sig", newline="") as lines:
                rows = list(csv.DictReader(lines))
        except (OSError, UnicodeDecodeError, csv.Error) as cause:
            raise BadInput("sense.option", name="ocpp", option="tokens", value=f"{file}: {cause}") from cause
        found = [_token(file, number, row) for number, row in enumerate(rows, start=2)]
        self._known = {each.token.casefold(): each for each in found}


def info16(token: Token, at: int) -> dict[str, Any]:
    """Returns IdTagInfo (1.6, 7.27)."""
    info: dict[str, Any] = {"status": token.state(at)}
    if token.expires is not None:
        info["expiryDate"] = format_us(token.expires)
    if token.group:
        info["parentIdTag"] = token.group
    return info


def info2(token: Token, at: int) -> dict[str, Any]:
    """Returns IdTokenInfoType (2.0.1 and 2.1, 2.25)."""
    state = token.state(at)
    info: dict[str, Any] = {"status": "Unknown" if state == "Invalid" else state}
    if token.expires is not None:
        info["cacheExpiryDateTime"] = format_us(token.expires)
    if token.group:
        info["groupIdToken"] = {"idToken": token.group, "type": "Central"}
    if token.language:
        info["language1"] = token.language
    return info


def _token(file: Path, number: int, row: Mapping[str, str | None]) -> Token:
    cells = {name: (value or "").strip() for name, value in row.items() if name}
    status = cells.get("status") or "Accepted"
    expires = cells.get("expires", "")
    try:
        if not cells.get("token") or status not in _STATUS:
            raise BadInput("sense.option", name="ocpp", option="token, status", value=f"row {number}")
        return Token(
            cells["token"],
            cells.get("type", ""),
            status,
            instant_us(expires) if expires else None,
            cells.get("group", ""),
            cells.get("language", ""),
        )
    except YunmengError as cause:
        value = f"{file}: row {number}: {cause}"
        raise BadInput("sense.option", name="ocpp", option="tokens", value=value) from cause

"""Secrets as references: settings say where a secret is, never what it is."""

import os
from dataclasses import dataclass
from pathlib import Path

from yunmeng.kernel.base.errors import BadInput, Unavailable


@dataclass(frozen=True, slots=True)
class Secret:
    """A reference ``env:NAME`` or ``file:/path``, or empty for none; it may be shown, the secret never.

    Raises:
        BadInput: ``secret.inline`` when the text is no reference (it is not repeated: it may be the secret).
    """

    reference: str = ""

    def __post_init__(self) -> None:
        if self.reference and not self.reference.partition(":")[2]:
            raise BadInput("secret.inline")
        if self.reference and not self.reference.startswith(("env:", "file:")):
            raise BadInput("secret.inline")

    def __bool__(self) -> bool:
        return bool(self.reference)

    def reveal(self) -> str:
        """Returns the secret, without the line end of a file; empty for no reference.

        Raises:
            Unavailable: ``secret.absent`` when the variable or the file is not there.
        """
        if not self.reference:
            return ""
        kind, _, place = self.reference.partition(":")
        try:
            return (
                os.environ[place] if kind == "env" else Path(place).read_text(encoding="utf-8").rstrip("\r\n")
            )
        except (KeyError, OSError, UnicodeDecodeError) as cause:
            raise Unavailable("secret.absent", reference=self.reference) from cause

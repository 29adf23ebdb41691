"""Who acts: a person, a service, a device or a node."""

from typing import Literal

import msgspec


class Principal(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whoever stands behind a request, a job, a command or a stream.

    ``divisions`` are GB/T 2260 codes; each reaches itself and all that lies under it.
    ``clearance`` is the highest classification grade that may be read (1 public .. 4 core; GB/T 43697-2024).
    """

    id: str
    kind: Literal["person", "service", "device", "node", "anonymous"] = "person"
    tenant: str = ""
    roles: tuple[str, ...] = ()
    divisions: tuple[str, ...] = ()
    clearance: int = 1


ANONYMOUS = Principal(id="anonymous", kind="anonymous")
"""Whoever has not said who they are."""


class Reach(msgspec.Struct, frozen=True):
    """What a principal may see of the store; every read takes one and enforces it in its own query.

    ``prefixes`` are beginnings of division codes (``"42"``, ``"4201"``, ``"429004"``); ``None`` is all.
    Entities without a division are seen only by a reach of ``None`` or of the node's own division.
    """

    tenant: str = ""
    prefixes: tuple[str, ...] | None = None

"""Messages of OCPP-J: arrays whose first member is the type of message (1.6J 4.2; 2.x part 4, 4.2)."""

from typing import Annotated, Any

import msgspec

Payload = dict[str, Any]
UniqueId = Annotated[str, msgspec.Meta(max_length=36)]


class Call(msgspec.Struct, frozen=True, array_like=True, tag=2, forbid_unknown_fields=True):
    """A request; nothing else is asked in this direction until it is answered."""

    id: UniqueId
    action: str
    payload: Payload


class CallResult(msgspec.Struct, frozen=True, array_like=True, tag=3, forbid_unknown_fields=True):
    """The answer to a request."""

    id: UniqueId
    payload: Payload


class CallError(msgspec.Struct, frozen=True, array_like=True, tag=4, forbid_unknown_fields=True):
    """A request that could not be taken; ``details`` are left out by some stations."""

    id: UniqueId
    code: str
    description: str = ""
    details: Payload = {}


class CallResultError(msgspec.Struct, frozen=True, array_like=True, tag=5, forbid_unknown_fields=True):
    """An answer that could not be taken (2.1)."""

    id: UniqueId
    code: str
    description: str = ""
    details: Payload = {}


class SendCall(msgspec.Struct, frozen=True, array_like=True, tag=6, forbid_unknown_fields=True):
    """A message that nobody answers (2.1)."""

    id: UniqueId
    action: str
    payload: Payload


Message = Call | CallResult | CallError | CallResultError | SendCall

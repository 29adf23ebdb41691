"""Which devices somebody means: some by name, or all that have something in common."""

from collections.abc import Mapping

import msgspec

from yunmeng.information.iot.kinds import kind
from yunmeng.kernel.base import BadInput, division
from yunmeng.kernel.model import And, Compare, Condition, Context, Operand, Path

_ATTRIBUTES = {
    "kind": "deviceKind",
    "gateway": "protocol",
    "lifecycle": "lifecycle",
    "state": "deviceState",
    "manufacturer": "manufacturerName",
    "model": "modelName",
    "firmware": "firmwareVersion",
    "owner": "ownerDepartment",
    "tag": "deviceTags",
}


class Selection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Devices by their ids and by what they have in common; what is left empty, any device fulfils.

    ``division`` is a GB/T 2260 code and means all that lies in it; ``gateway`` is the protocol, ``state``
    online or offline, ``all`` says that really every device in reach is meant.
    """

    ids: tuple[str, ...] = ()
    kind: str = ""
    division: str = ""
    gateway: str = ""
    lifecycle: str = ""
    state: str = ""
    manufacturer: str = ""
    model: str = ""
    firmware: str = ""
    owner: str = ""
    tag: str = ""
    all: bool = False

    @property
    def divisions(self) -> tuple[str, ...]:
        """The division as a query wants it."""
        return (self.division,) if self.division else ()

    def condition(self, context: Context) -> Condition | None:
        """Returns what the attributes of a device have to fulfil, None for nothing."""
        parts = tuple(
            Compare(Path(context.expand(attribute)), "==", (Operand("string", value),))
            for name, attribute in _ATTRIBUTES.items()
            if (value := getattr(self, name))
        )
        return And(parts) if len(parts) > 1 else (parts[0] if parts else None)

    def named(self) -> "Selection":
        """Returns itself. Raises ``BadInput("iot.selection")`` where nothing says which devices are meant."""
        if self == Selection():
            raise BadInput("iot.selection", reason=", ".join(self.__struct_fields__))
        return self


def read_selection(given: Mapping[str, object]) -> Selection:
    """Reads a selection; ``ids`` may also be one text.

    Raises:
        BadInput: ``iot.selection``, ``iot.kind``, ``division.unknown``.
    """
    try:
        found = msgspec.convert(dict(given), Selection, strict=False)
    except msgspec.ValidationError as cause:
        raise BadInput("iot.selection", reason=str(cause)) from cause
    if found.kind:
        kind(found.kind)
    if found.division:
        division(found.division)
    return found

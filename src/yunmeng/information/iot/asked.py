"""What a call about devices says, read and checked."""

from yunmeng.information.iot.devices import MOST
from yunmeng.information.iot.selection import Selection, read_selection
from yunmeng.kernel.base import BadInput
from yunmeng.kernel.serve import Call, as_object, read_json


def id_of(call: Call) -> str:
    """Returns the id in the address."""
    return str(call.request.path_params["id"])


async def object_body(call: Call) -> dict[str, object]:
    """Returns the body, a JSON object."""
    return as_object(await read_json(call.request), "body")


def selection_of(body: dict[str, object]) -> Selection:
    """Returns the devices that a body means. Raises ``BadInput("iot.selection")`` when it means none."""
    return read_selection(as_object(body.get("selection", {}), "selection")).named()


def page_of(call: Call) -> tuple[int, int]:
    """Returns ``limit`` and ``offset``."""
    asked = call.request.query_params
    return number(asked.get("limit", "100"), MOST), number(asked.get("offset", "0"), 10**9)


def number(text: str, most: int) -> int:
    """Reads a whole number. Raises ``BadInput("iot.number")``."""
    if not text.isascii() or not text.isdigit() or int(text) > most:
        raise BadInput("iot.number", value=text, most=most)
    return int(text)

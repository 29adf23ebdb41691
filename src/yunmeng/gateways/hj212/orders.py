"""What the centre asks and sets: command codes 1000 to 3024 (table 9; those of 2025 among them)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from yunmeng.gateways.hj212.messages import join_fields
from yunmeng.gateways.hj212.readings import write_time
from yunmeng.kernel.base import BadInput, YunmengError, instant_us
from yunmeng.kernel.sense import Command


class Order(msgspec.Struct, frozen=True):
    """A command code with the fields that it must have; a ``notice`` is answered by 9013 alone."""

    cn: str
    needs: tuple[str, ...] = ()
    notice: bool = False


ORDERS: Mapping[str, Order] = {
    "set-timeout": Order("1000", ("OverTime", "ReCount")),
    "get-time": Order("1011"),
    "set-time": Order("1012"),
    "set-key": Order("1014", ("SKCreateTime", "NewSK")),
    "get-realtime-interval": Order("1061"),
    "set-realtime-interval": Order("1062", ("RtdInterval",)),
    "get-minute-interval": Order("1063"),
    "set-minute-interval": Order("1064", ("MinInterval",)),
    "set-password": Order("1072", ("NewPW",)),
    "start-realtime": Order("2011"),
    "stop-realtime": Order("2012", notice=True),
    "query-raw": Order("2013", ("BeginTime", "EndTime")),
    "start-states": Order("2021"),
    "stop-states": Order("2022", notice=True),
    "query-days": Order("2031", ("BeginTime", "EndTime")),
    "query-running-hours": Order("2041", ("BeginTime", "EndTime")),
    "query-minutes": Order("2051", ("BeginTime", "EndTime")),
    "query-noise": Order("2052", ("BeginTime", "EndTime")),
    "query-hours": Order("2061", ("BeginTime", "EndTime")),
    "query-checks": Order("2062", ("BeginTime", "EndTime")),
    "calibrate": Order("3011", ("PolId",)),
    "sample-now": Order("3012", ("PolId",)),
    "clean": Order("3013", ("PolId",)),
    "compare": Order("3014", ("PolId",)),
    "retain": Order("3015"),
    "set-sampling": Order("3016", ("PolId", "CstartTime", "CTime")),
    "get-sampling": Order("3017", ("PolId",)),
    "get-sample-minutes": Order("3018", ("PolId",)),
    "get-serial": Order("3019", ("PolId",)),
    "get-info": Order("3020", ("InfoId",)),
    "set-info": Order("3021", ("InfoId",)),
    "retain-now": Order("3022"),
    "check-standard": Order("3024", ("PolId",)),
}
"""Every command by its name; its fields are the standard's own, and more may be given."""

_TIMES = ("BeginTime", "EndTime", "SystemTime")


def write_order(command: Command, at: int) -> tuple[Order, str]:
    """Returns the command's code and what stands between the double ampersands.

    ``raw`` takes any code as ``cn``. Times may be ISO 8601; ``set-time`` sets the present one unless told.

    Raises:
        BadInput: ``command.unknown``, ``command.arguments``.
    """
    fields = dict(command.arguments)
    order = _find(command, fields)
    if order.cn == "1012":
        fields.setdefault("SystemTime", write_time(at))
    try:
        texts = {name: _text(name, value) for name, value in fields.items()}
    except YunmengError as cause:
        raise BadInput("command.arguments", name=command.name, reason=str(cause)) from cause
    lacking = [name for name in order.needs if name not in texts]
    unfit = [name for name, text in texts.items() if any(mark in f"{name}{text}" for mark in ";&\r\n")]
    if lacking or unfit:
        raise BadInput("command.arguments", name=command.name, reason=", ".join(lacking or unfit))
    # the standard gives the factor first, and a device may take fields by their place
    names = [*(name for name in ("PolId", "InfoId") if name in texts), *order.needs, *texts]
    return order, join_fields({name: texts[name] for name in names})


def _find(command: Command, fields: dict[str, Any]) -> Order:
    if command.name == "raw":
        cn = str(fields.pop("cn", ""))
        if not (cn.isdecimal() and len(cn) == 4):
            raise BadInput("command.arguments", name="raw", reason=f"cn {cn}")
        return Order(cn, notice=bool(fields.pop("notice", False)))
    if command.name not in ORDERS:
        raise BadInput("command.unknown", name=command.name, known=", ".join((*ORDERS, "raw")))
    return ORDERS[command.name]


def _text(name: str, value: object) -> str:
    text = str(value)
    return write_time(instant_us(text)) if name in _TIMES and not text.isdecimal() else text

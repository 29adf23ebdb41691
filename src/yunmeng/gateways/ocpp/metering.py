"""MeterValues: measurands with their phases, places, contexts and units, as fields of ``mapping.toml``."""

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any

import msgspec

from yunmeng.gateways.ocpp.codec import fault
from yunmeng.kernel.base import BadInput, instant_us
from yunmeng.kernel.sense import Mapper

Field = float | int | str | None

ENERGY = "Energy.Active.Import.Register"
"""What a value without a measurand is."""

_SCALES = {
    **dict.fromkeys(("Wh", "W", "var", "VA", "VAh", "A", "V", "s", "RPM", "kvarh"), Decimal(1)),
    **dict.fromkeys(("Celsius", "Celcius", "Percent", "Hertz", "Hz"), Decimal(1)),
    **dict.fromkeys(("kWh", "kW", "kvar", "kVA", "kVAh"), Decimal(1000)),
    "varh": Decimal("0.001"),
}


class Sample(msgspec.Struct, frozen=True):
    """What a station measured at one moment, in microseconds UTC."""

    at: int
    fields: dict[str, Field]


def moment(text: str, zone: str = "") -> int:
    """Returns a time in microseconds UTC; ``zone`` (``+08:00``) is meant where a station names none.

    Raises:
        BadInput: ``frame.bad`` for a PropertyConstraintViolation.
    """
    try:
        return instant_us(text)
    except BadInput as cause:
        if zone and cause.key == "time.naive":
            return moment(text + zone)
        raise fault("PropertyConstraintViolation", str(cause), "") from cause


def samples(meter_values: Iterable[Mapping[str, Any]], mapper: Mapper, zone: str = "") -> list[Sample]:
    """Reads MeterValue (1.6, 7.33) or MeterValueType (2.x, 2.29).

    Raises:
        BadInput: ``frame.bad`` for a value that is no number.
    """
    return [
        Sample(moment(str(each["timestamp"]), zone), _fields(each["sampledValue"], mapper))
        for each in meter_values
    ]


def energy_at(meter_values: Iterable[Mapping[str, Any]], context: str) -> float | None:
    """Returns the meter in Wh in one context, such as ``Transaction.Begin``."""
    for each in meter_values:
        for sampled in each["sampledValue"]:
            if sampled.get("context") == context and _name(sampled) == ENERGY:
                _, value = _value(sampled, ENERGY)
                return value if isinstance(value, float) else None
    return None


def _fields(sampled_values: Iterable[Mapping[str, Any]], mapper: Mapper) -> dict[str, Field]:
    fields: dict[str, Field] = {}
    for sampled in sampled_values:
        signed = sampled.get("signedMeterValue")
        if signed is not None:
            fields["signed"] = str(signed["signedMeterData"])
        context = str(sampled.get("context", "Sample.Periodic"))
        fields.setdefault("context", context)
        if sampled.get("format") == "SignedData":
            fields["signed"] = str(sampled["value"])
            continue
        unit, value = _value(sampled, str(sampled.get("measurand", ENERGY)))
        name = _name(sampled) + unit
        special = f"{name}#{context}"
        fields[special if mapper.knows(special) else name] = value
    return fields


def _name(sampled: Mapping[str, Any]) -> str:
    """Returns the name of the field; the outlet is what everything is about if not said otherwise."""
    name = str(sampled.get("measurand", ENERGY))
    if phase := sampled.get("phase"):
        name += f".{phase}"
    location = sampled.get("location", "Outlet")
    return name if location == "Outlet" else f"{name}@{location}"


def _value(sampled: Mapping[str, Any], measurand: str) -> tuple[str, float]:
    """Returns a value in its base unit; a unit that nobody knows is named beside it, never left out."""
    number = _number(sampled["value"])
    measure: Mapping[str, Any] = sampled.get("unitOfMeasure", {})
    number = number.scaleb(int(measure.get("multiplier", 0)))
    unit = sampled.get("unit", measure.get("unit"))
    if unit is None:
        unit = "varh" if measurand.startswith("Energy.Reactive") else "Wh"
    suffix = ""
    if unit == "Fahrenheit":
        number = (number - 32) * 5 / 9
    elif unit == "K":
        number -= Decimal("273.15")
    elif unit in _SCALES:
        number *= _SCALES[unit]
    else:
        suffix = f"[{unit}]"
    return suffix, _finite(number)


def _number(value: object) -> Decimal:
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise fault("PropertyConstraintViolation", f"value: {str(value)[:50]!r} is no number", "") from None
    if not number.is_finite() or abs(number.adjusted()) > 300:
        raise fault("PropertyConstraintViolation", f"value: {str(value)[:50]!r}", "")
    return number


def _finite(number: Decimal) -> float:
    value = float(number)
    if not isfinite(value):
        raise fault("PropertyConstraintViolation", f"value: {number:.3E}", "")
    return value

"""Series of measurements as OGC WaterML 2.0 part 1 (OGC 10-126r4): MeasurementTimeseries in a Collection."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import isinf
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from yunmeng.kernel.base import BadInput, YunmengError, format_us, instant_us, now_us, unit, unit_of_ucum

_WML, _OM, _GML, _XLINK, _XSI = (
    "http://www.opengis.net/waterml/2.0",
    "http://www.opengis.net/om/2.0",
    "http://www.opengis.net/gml/3.2",
    "http://www.w3.org/1999/xlink",
    "http://www.w3.org/2001/XMLSchema-instance",
)
_INTERPOLATION = "http://www.opengis.net/def/waterml/2.0/interpolationType/Continuous"
_NIL = f"{{{_XSI}}}nil"
_MOST_BYTES = 256 << 20
MEDIA_TYPE = 'application/gml+xml; subtype="waterml/2.0"'


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """One property of one station: ``times`` µs UTC and ``values`` (NaN missing) of shape (n,), rising times.

    ``unit`` is a UN/CEFACT code, or empty.
    """

    station: str
    attribute: str
    unit: str
    times: NDArray[np.int64]
    values: NDArray[np.float64]


def write_waterml(series: Iterable[TimeSeries]) -> bytes:
    """Returns series as a WaterML 2.0 collection; a missing value is a point that is nil."""
    for prefix, uri in (("wml2", _WML), ("om", _OM), ("gml", _GML), ("xlink", _XLINK), ("xsi", _XSI)):
        ET.register_namespace(prefix, uri)
    root = ET.Element(f"{{{_WML}}}Collection", {f"{{{_GML}}}id": "collection"})
    metadata = ET.SubElement(ET.SubElement(root, f"{{{_WML}}}metadata"), f"{{{_WML}}}DocumentMetadata")
    metadata.set(f"{{{_GML}}}id", "document")
    ET.SubElement(metadata, f"{{{_WML}}}generationDate").text = format_us(now_us())
    for number, one in enumerate(series, start=1):
        member = ET.SubElement(root, f"{{{_WML}}}observationMember")
        _write_observation(member, one, number)
    return ET.tostring(root, encoding="utf-8", xml_declaration=True)


def read_waterml(data: bytes) -> list[TimeSeries]:
    """Reads a WaterML 2.0 document; one series an observation.

    Raises:
        BadInput: ``water.waterml`` naming the element; documents with a DTD are refused.
    """
    root = _parse(data)
    observations = list(root.iter(f"{{{_OM}}}OM_Observation"))
    if not observations:
        raise BadInput("water.waterml", element="om:OM_Observation", reason="missing")
    return [_read_observation(each) for each in observations]


def _write_observation(member: ET.Element, one: TimeSeries, number: int) -> None:
    observation = ET.SubElement(member, f"{{{_OM}}}OM_Observation", {f"{{{_GML}}}id": f"observation{number}"})
    ET.SubElement(observation, f"{{{_OM}}}observedProperty", {f"{{{_XLINK}}}href": one.attribute})
    ET.SubElement(observation, f"{{{_OM}}}featureOfInterest", {f"{{{_XLINK}}}href": one.station})
    result = ET.SubElement(observation, f"{{{_OM}}}result")
    table = ET.SubElement(result, f"{{{_WML}}}MeasurementTimeseries", {f"{{{_GML}}}id": f"series{number}"})
    default = ET.SubElement(
        ET.SubElement(table, f"{{{_WML}}}defaultPointMetadata"), f"{{{_WML}}}DefaultTVPMeasurementMetadata"
    )
    if one.unit:
        ET.SubElement(default, f"{{{_WML}}}uom", {"code": unit(one.unit).ucum})
    ET.SubElement(default, f"{{{_WML}}}interpolationType", {f"{{{_XLINK}}}href": _INTERPOLATION})
    for at, value in zip(one.times.tolist(), one.values.tolist(), strict=True):
        point = ET.SubElement(ET.SubElement(table, f"{{{_WML}}}point"), f"{{{_WML}}}MeasurementTVP")
        ET.SubElement(point, f"{{{_WML}}}time").text = format_us(at)
        cell = ET.SubElement(point, f"{{{_WML}}}value")
        if np.isnan(value):
            cell.set(_NIL, "true")
        else:
            cell.text = repr(value)


def _read_observation(observation: ET.Element) -> TimeSeries:
    station, attribute = (_href(observation, name) for name in ("featureOfInterest", "observedProperty"))
    points = list(_points(observation))
    times = np.array([at for at, _ in points], np.int64)
    if (np.diff(times) <= 0).any():
        place = int(np.flatnonzero(np.diff(times) <= 0)[0]) + 1
        raise BadInput("water.waterml", element="wml2:time", reason=f"{format_us(points[place][0])}: order")
    values = np.array([value for _, value in points], np.float64)
    return TimeSeries(station, attribute, _unit(observation), times, values)


def _points(observation: ET.Element) -> Iterator[tuple[int, float]]:
    for point in observation.iter(f"{{{_WML}}}MeasurementTVP"):
        text = (point.findtext(f"{{{_WML}}}time") or "").strip()
        cell = point.find(f"{{{_WML}}}value")
        try:
            at = instant_us(text)
        except YunmengError as cause:
            raise BadInput("water.waterml", element="wml2:time", reason=text) from cause
        shown = (cell.text or "").strip() if cell is not None and cell.get(_NIL) not in ("true", "1") else ""
        try:
            value = float(shown) if shown else float("nan")
        except ValueError as cause:
            raise BadInput("water.waterml", element="wml2:value", reason=f"{text}: {shown}") from cause
        if isinf(value):
            raise BadInput("water.waterml", element="wml2:value", reason=f"{text}: {shown}")
        yield at, value


def _href(observation: ET.Element, name: str) -> str:
    element = observation.find(f"{{{_OM}}}{name}")
    href = element.get(f"{{{_XLINK}}}href", "") if element is not None else ""
    if not href:
        raise BadInput("water.waterml", element=f"om:{name}", reason="xlink:href")
    return href


def _unit(observation: ET.Element) -> str:
    for element in observation.iter(f"{{{_WML}}}uom"):
        code = element.get("code", "")
        try:
            return unit_of_ucum(code).code if code else ""
        except YunmengError as cause:
            raise BadInput("water.waterml", element="wml2:uom", reason=code) from cause
    return ""


def _parse(data: bytes) -> ET.Element:
    if len(data) > _MOST_BYTES or b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise BadInput("water.waterml", element="DOCTYPE", reason="size, DTD")
    try:
        # without a DTD there are no entities to expand
        return ET.fromstring(data)  # noqa: S314
    except (ET.ParseError, ValueError, LookupError) as cause:
        raise BadInput("water.waterml", element="XML", reason=str(cause)) from cause

"""Alerts as messages of the Common Alerting Protocol (OASIS CAP 1.2), both ways."""

from datetime import datetime
from typing import Any, get_args
from xml.etree import ElementTree as ET

from yunmeng.kernel.base import SHANGHAI, BadInput, YunmengError, check_urn, from_us, instant_us
from yunmeng.kernel.compute.response.alert import (
    GRADES,
    SEVERITY,
    Alert,
    Category,
    Certainty,
    Grade,
    Urgency,
    check_grade,
)

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
MEDIA_TYPE = "application/cap+xml"

_MOST_BYTES = 1 << 20
_OURS = "urn:ngsi-ld:Alert:"
_MESSAGE = {"active": "Alert", "ended": "Cancel", "cancelled": "Cancel"}
_GRADE: dict[str, Grade] = {severity: grade for grade, severity in SEVERITY.items()}
_LEVEL, _RULE, _SUBJECT = "responseLevel", "rule", "alertSource"
_DIVISION = "GB/T 2260"


def to_cap(alert: Alert, sender: str) -> bytes:
    """Returns the alert as CAP 1.2 with one ``info`` a language; times in Beijing time with their offset.

    ``sender`` names who issues it (§3.2.1). A synthetic alert has the status ``Exercise``; an ended one is a
    ``Cancel`` that refers to the message that it ends.
    """
    ET.register_namespace("", NAMESPACE)
    root = ET.Element(f"{{{NAMESPACE}}}alert")
    sent = _time(alert.issued_at or alert.valid_from)
    over = alert.state != "active"
    _add(root, "identifier", f"{alert.id}:end" if over else alert.id)
    _add(root, "sender", sender)
    _add(root, "sent", sent)
    _add(root, "status", "Exercise" if alert.synthetic else "Actual")
    _add(root, "msgType", _MESSAGE[alert.state])
    _add(root, "scope", "Public")
    if over:
        _add(root, "references", f"{sender},{alert.id},{_time(alert.valid_from)}")
    for language in alert.headline:
        _info(root, alert, language)
    return ET.tostring(root, encoding="utf-8", xml_declaration=True)


def from_cap(data: bytes, division: str = "") -> Alert:
    """Reads a CAP 1.2 message as an alert; its words by the ``language`` of each ``info``.

    The response level is ours where the message names it, else the one of CAP's severity.

    Raises:
        BadInput: ``cap.bad`` naming the element; documents with a DTD are refused.
    """
    root = _parse(data)
    infos = root.findall(f"{{{NAMESPACE}}}info")
    if not infos:
        raise BadInput("cap.bad", element="info", reason="missing")
    first = infos[0]
    parameters = _parameters(first)
    identifier, sender = _text(root, "identifier"), _text(root, "sender")
    ended = _text(root, "msgType") == "Cancel"
    sent = _instant(root, "sent")
    return Alert(
        id=_identifier(root, identifier, ended=ended),
        rule=parameters.get(_RULE, f"cap:{sender}"),
        source=parameters.get(_SUBJECT, ""),
        division=_geocode(first) or division,
        headline={_language(info): _optional(info, "headline") or _text(info, "event") for info in infos},
        grade=_grade(first, parameters),
        category=_one_of(first, "category", get_args(Category)),
        urgency=_one_of(first, "urgency", get_args(Urgency)),
        certainty=_one_of(first, "certainty", get_args(Certainty)),
        state="ended" if ended else "active",
        issued_at=sent,
        valid_from=_instant(first, "onset", _instant(first, "effective", sent)),
        valid_to=_instant(first, "expires", sent if ended else 0),
        instruction={_language(i): text for i in infos if (text := _optional(i, "instruction"))},
        location=_location(first),
        synthetic=_text(root, "status") != "Actual",
    )


def _info(root: ET.Element, alert: Alert, language: str) -> None:
    info = _add(root, "info")
    _add(info, "language", language)
    _add(info, "category", alert.category)
    _add(info, "event", alert.headline[language])
    for name in ("urgency", "severity", "certainty"):
        _add(info, name, getattr(alert, name))
    _add(info, "onset", _time(alert.valid_from))
    if alert.valid_to:
        _add(info, "expires", _time(alert.valid_to))
    _add(info, "headline", alert.headline[language])
    if language in alert.instruction:
        _add(info, "instruction", alert.instruction[language])
    for name, value in _facts(alert).items():
        parameter = _add(info, "parameter")
        _add(parameter, "valueName", name)
        _add(parameter, "value", value)
    area = _add(info, "area")
    _add(area, "areaDesc", alert.division or alert.source)
    point = (alert.location or {}).get("coordinates")
    if (alert.location or {}).get("type") == "Point" and point:
        _add(area, "circle", f"{point[1]},{point[0]} 0")
    if alert.division:
        geocode = _add(area, "geocode")
        _add(geocode, "valueName", _DIVISION)
        _add(geocode, "value", alert.division)


def _facts(alert: Alert) -> dict[str, str]:
    facts = {_LEVEL: alert.grade, _RULE: alert.rule, _SUBJECT: alert.source}
    if alert.value is not None:
        facts["alertValue"] = f"{alert.value:g} {alert.unit}".strip()
    if alert.limit is not None:
        facts["alertLimit"] = f"{alert.limit:g} {alert.unit}".strip()
    return {name: value for name, value in facts.items() if value}


def _add(parent: ET.Element, name: str, text: str = "") -> ET.Element:
    element = ET.SubElement(parent, f"{{{NAMESPACE}}}{name}")
    if text:
        element.text = text
    return element


def _time(at: int) -> str:
    # CAP wants an offset, and no Z (§3.3.2)
    return from_us(at).astimezone(SHANGHAI).isoformat(timespec="seconds")


def _parse(data: bytes) -> ET.Element:
    if len(data) > _MOST_BYTES:
        raise BadInput("cap.bad", element="alert", reason=f"{len(data)} > {_MOST_BYTES} bytes")
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise BadInput("cap.bad", element="DOCTYPE", reason="not allowed")
    try:
        # without a DTD there are no entities to expand
        root = ET.fromstring(data)  # noqa: S314
    except (ET.ParseError, ValueError, LookupError) as cause:
        raise BadInput("cap.bad", element="XML", reason=str(cause)) from cause
    if root.tag != f"{{{NAMESPACE}}}alert":
        raise BadInput("cap.bad", element=root.tag, reason=f"{{{NAMESPACE}}}alert")
    return root


def _identifier(root: ET.Element, identifier: str, *, ended: bool) -> str:
    references = _optional(root, "references").split(",") if ended else []
    own = references[1] if len(references) > 1 else identifier
    # a foreign message may name itself as it likes, but never as an entity of ours that is no alert
    text = own if own.startswith(_OURS) else f"{_OURS}cap:{own}"
    try:
        return check_urn(text)
    except YunmengError as cause:
        raise BadInput("cap.bad", element="identifier", reason=own) from cause


def _optional(element: ET.Element, name: str) -> str:
    return (element.findtext(f"{{{NAMESPACE}}}{name}") or "").strip()


def _text(element: ET.Element, name: str) -> str:
    text = _optional(element, name)
    if not text:
        raise BadInput("cap.bad", element=name, reason="missing")
    return text


def _instant(element: ET.Element, name: str, default: int | None = None) -> int:
    text = _optional(element, name) if default is not None else _text(element, name)
    if not text:
        return default or 0
    try:
        return instant_us(datetime.fromisoformat(text).isoformat())
    except (ValueError, YunmengError) as cause:
        raise BadInput("cap.bad", element=name, reason=text) from cause


def _one_of(element: ET.Element, name: str, known: tuple[Any, ...]) -> Any:
    text = _text(element, name)
    if text not in known:
        raise BadInput("cap.bad", element=name, reason=f"{text}: {', '.join(known)}")
    return text


def _parameters(info: ET.Element) -> dict[str, str]:
    found = info.findall(f"{{{NAMESPACE}}}parameter")
    return {_optional(each, "valueName"): _optional(each, "value") for each in found}


def _grade(info: ET.Element, parameters: dict[str, str]) -> Grade:
    own = parameters.get(_LEVEL, "")
    return check_grade(own) if own in GRADES else _GRADE.get(_text(info, "severity"), "IV")


def _language(info: ET.Element) -> str:
    return _optional(info, "language") or "en-US"


def _geocode(info: ET.Element) -> str:
    for code in info.iterfind(f"{{{NAMESPACE}}}area/{{{NAMESPACE}}}geocode"):
        if _optional(code, "valueName") == _DIVISION:
            return _optional(code, "value")
    return ""


def _location(info: ET.Element) -> dict[str, Any] | None:
    area = info.find(f"{{{NAMESPACE}}}area")
    if area is None:
        return None
    try:
        if circle := _optional(area, "circle"):
            latitude, longitude = circle.split()[0].split(",")
            return {"type": "Point", "coordinates": [float(longitude), float(latitude)]}
        if polygon := _optional(area, "polygon"):
            pairs = [pair.split(",") for pair in polygon.split()]
            return {"type": "Polygon", "coordinates": [[[float(x), float(y)] for y, x in pairs]]}
    except ValueError as cause:
        raise BadInput("cap.bad", element="area", reason=str(cause)) from cause
    return None

"""An alert 预警: something measured or forecast that somebody must know of; CAP 1.2's words for it."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from yunmeng.kernel.base import BadInput, format_us, instant_us, make_urn, now_us
from yunmeng.kernel.model import is_object

Grade = Literal["I", "II", "III", "IV"]
"""Response levels of Chinese emergency plans: I particularly serious (red) to IV ordinary (blue)."""
GRADES: tuple[Grade, ...] = ("I", "II", "III", "IV")

Category = Literal[
    "Geo",
    "Met",
    "Safety",
    "Security",
    "Rescue",
    "Fire",
    "Health",
    "Env",
    "Transport",
    "Infra",
    "CBRNE",
    "Other",
]
Urgency = Literal["Immediate", "Expected", "Future", "Past", "Unknown"]
Severity = Literal["Extreme", "Severe", "Moderate", "Minor", "Unknown"]
Certainty = Literal["Observed", "Likely", "Possible", "Unlikely", "Unknown"]
AlertState = Literal["active", "ended", "cancelled"]

SEVERITY: Mapping[Grade, Severity] = {"I": "Extreme", "II": "Severe", "III": "Moderate", "IV": "Minor"}
"""CAP's severity of each response level."""


class Alert(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An alert (OASIS CAP 1.2 §3.2). ``headline`` and ``instruction`` hold words by language.

    ``source`` is the entity that it is about (empty: none of ours), ``rule`` who or what raised it, ``value``
    and ``limit`` what was measured against what in ``unit`` (UN/CEFACT code). Times are microseconds UTC, 0
    for not yet.
    """

    id: str
    rule: str
    source: str
    division: str
    headline: dict[str, str]
    grade: Grade
    category: Category = "Infra"
    urgency: Urgency = "Immediate"
    certainty: Certainty = "Observed"
    state: AlertState = "active"
    issued_at: int = 0
    valid_from: int = 0
    valid_to: int = 0
    value: float | None = None
    limit: float | None = None
    unit: str = ""
    instruction: dict[str, str] = {}
    event: str = ""
    location: dict[str, Any] | None = None
    synthetic: bool = False

    @property
    def severity(self) -> Severity:
        """CAP's severity."""
        return SEVERITY[self.grade]


def alert_id(rule: str, source: str, begun_at: int) -> str:
    """Returns the id of an alert: the same rule, entity and beginning (µs UTC) give the same one."""
    from hashlib import sha256

    return make_urn("Alert", rule, sha256(source.encode()).hexdigest()[:16], str(begun_at // 1000))


def graver(one: Grade, other: Grade) -> Grade:
    """Returns the more serious of two levels."""
    return one if at_least(one, other) else other


def at_least(grade: Grade, floor: Grade) -> bool:
    """Tells whether a level is as serious as another, or more so."""
    return GRADES.index(grade) <= GRADES.index(floor)


def check_grade(text: object) -> Grade:
    """Returns the level that a text names. Raises ``BadInput("alert.grade")``."""
    if text in GRADES:
        return text
    raise BadInput("alert.grade", grade=text, known=", ".join(GRADES))


def to_entity(alert: Alert) -> dict[str, Any]:
    """Returns the alert as an NGSI-LD entity in concise form (terms of the node's own context)."""
    members: dict[str, Any] = {
        "id": alert.id,
        "type": "Alert",
        "division": alert.division,
        "rule": alert.rule,
        "alertSource": {"object": alert.source} if alert.source else None,
        "headline": {"languageMap": alert.headline},
        "responseLevel": alert.grade,
        "category": alert.category,
        "severity": alert.severity,
        "urgency": alert.urgency,
        "certainty": alert.certainty,
        "alertState": alert.state,
        "dateIssued": moment(alert.issued_at or now_us()),
        "validFrom": moment(alert.valid_from),
        "validTo": moment(alert.valid_to) if alert.valid_to else None,
        "alertValue": _measured(alert.value, alert.unit),
        "alertLimit": _measured(alert.limit, alert.unit),
        "instruction": {"languageMap": alert.instruction} if alert.instruction else None,
        "partOfEvent": {"object": alert.event} if alert.event else None,
        "location": alert.location,
        "synthetic": True if alert.synthetic else None,
    }
    return {name: value for name, value in members.items() if value is not None}


def from_entity(entity: Mapping[str, Any]) -> Alert:
    """Returns the alert that an entity in simplified form holds."""
    return Alert(
        id=entity["id"],
        rule=entity["rule"],
        source=entity.get("alertSource", ""),
        division=entity.get("division", ""),
        headline=words(entity["headline"]),
        grade=check_grade(entity["responseLevel"]),
        category=entity.get("category", "Infra"),
        urgency=entity.get("urgency", "Unknown"),
        certainty=entity.get("certainty", "Unknown"),
        state=entity.get("alertState", "active"),
        issued_at=micros(entity.get("dateIssued")),
        valid_from=micros(entity.get("validFrom")),
        valid_to=micros(entity.get("validTo")),
        value=entity.get("alertValue"),
        limit=entity.get("alertLimit"),
        instruction=words(entity.get("instruction", {})),
        event=entity.get("partOfEvent", ""),
        location=entity.get("location"),
        synthetic=bool(entity.get("synthetic", False)),
    )


def moment(at: int) -> dict[str, Any]:
    """Returns a time (µs UTC) as a concise Property."""
    return {"value": {"@type": "DateTime", "@value": format_us(at)}}


def micros(value: object) -> int:
    """Reads a simplified time; 0 for none."""
    if is_object(value):
        value = value.get("@value")
    return instant_us(value) if isinstance(value, str) else 0


def words(value: object) -> dict[str, str]:
    """Reads a simplified LanguageProperty."""
    if is_object(value):
        value = value.get("languageMap", value)
    if not is_object(value):
        return {"zh-CN": str(value)} if value else {}
    return {str(lang): str(text) for lang, text in value.items()}


def _measured(value: float | None, unit: str) -> dict[str, Any] | None:
    if value is None:
        return None
    return {"value": value, "unitCode": unit} if unit else {"value": value}

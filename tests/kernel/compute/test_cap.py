"""Alerts as CAP 1.2: the standard's own example, and there and back."""

from xml.etree import ElementTree as ET

import msgspec
import pytest
from tests.nodes import refused

from yunmeng.kernel.compute import Alert, from_cap, to_cap

NS = {"c": "urn:oasis:names:tc:emergency:cap:1.2"}

# OASIS CAP 1.2 appendix A.2 (severe thunderstorm warning), shortened to the elements that an alert keeps
THUNDERSTORM = b"""<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
  <identifier>KSTO1055887203</identifier><sender>KSTO@NWS.NOAA.GOV</sender>
  <sent>2003-06-17T14:57:00-07:00</sent><status>Actual</status><msgType>Alert</msgType><scope>Public</scope>
  <info><category>Met</category><event>SEVERE THUNDERSTORM</event><responseType>Shelter</responseType>
    <urgency>Immediate</urgency><severity>Severe</severity><certainty>Observed</certainty>
    <eventCode><valueName>SAME</valueName><value>SVR</value></eventCode>
    <expires>2003-06-17T16:00:00-07:00</expires>
    <headline>SEVERE THUNDERSTORM WARNING</headline>
    <instruction>TAKE COVER IN A SUBSTANTIAL SHELTER UNTIL THE STORM PASSES.</instruction>
    <area><areaDesc>EXTREME NORTH CENTRAL TUOLUMNE COUNTY</areaDesc>
      <polygon>38.47,-120.14 38.34,-119.95 38.52,-119.74 38.62,-119.89 38.47,-120.14</polygon>
    </area></info></alert>"""

ALERT = Alert(
    id="urn:ngsi-ld:Alert:water.flood_limit:0123:1",
    rule="water.flood_limit",
    source="urn:ngsi-ld:Reservoir:1",
    division="420106",
    headline={"zh-CN": "水位超汛限", "en": "Above the flood limit"},
    grade="III",
    category="Met",
    issued_at=1_750_000_000_000_000,
    valid_from=1_750_000_000_000_000,
    value=100.5,
    limit=100.0,
    unit="MTR",
    instruction={"zh-CN": "核实"},
    location={"type": "Point", "coordinates": [114.3, 30.5]},
)


def test_the_standards_example_is_read() -> None:
    alert = from_cap(THUNDERSTORM, "420000")
    assert alert.grade == "II"
    assert alert.headline == {"en-US": "SEVERE THUNDERSTORM WARNING"}
    assert alert.category == "Met"
    assert alert.valid_to - alert.issued_at == 63 * 60 * 1_000_000
    assert alert.location is not None
    assert alert.location["coordinates"][0][0] == [-120.14, 38.47]
    assert alert.division == "420000"


def test_what_is_written_can_be_read() -> None:
    back = from_cap(to_cap(ALERT, "yunmeng-420000"))
    for name in (
        "id",
        "rule",
        "source",
        "division",
        "headline",
        "grade",
        "valid_from",
        "instruction",
        "location",
    ):
        assert getattr(back, name) == getattr(ALERT, name), name


def test_times_have_an_offset_and_no_z() -> None:
    root = ET.fromstring(to_cap(ALERT, "x"))
    assert root.findtext("c:sent", namespaces=NS) == "2025-06-15T23:06:40+08:00"


def test_the_end_refers_to_the_beginning() -> None:
    ended = msgspec.structs.replace(ALERT, state="ended", valid_to=ALERT.valid_from + 1_000_000)
    message = to_cap(ended, "yunmeng-420000")
    root = ET.fromstring(message)
    assert root.findtext("c:msgType", namespaces=NS) == "Cancel"
    assert root.findtext("c:identifier", namespaces=NS) != ALERT.id
    assert from_cap(message).id == ALERT.id
    assert from_cap(message).state == "ended"


def test_what_is_synthetic_is_an_exercise() -> None:
    root = ET.fromstring(to_cap(msgspec.structs.replace(ALERT, synthetic=True), "x"))
    assert root.findtext("c:status", namespaces=NS) == "Exercise"


@pytest.mark.parametrize(
    ("change", "element"),
    [
        ((b"<category>Met</category>", b"<category>Rain</category>"), "category"),
        ((b"<urgency>Immediate</urgency>", b""), "urgency"),
        ((b"2003-06-17T14:57:00-07:00", b"yesterday"), "sent"),
        ((b"38.47,-120.14 38.34", b"38.47 38.34"), "area"),
        ((b"cap:1.2", b"cap:1.1"), "alert"),
        ((b"<alert ", b"<!DOCTYPE a [<!ENTITY b 'c'>]><alert "), "DOCTYPE"),
        ((b"</alert>", b""), "XML"),
    ],
)
def test_what_is_no_cap_is_refused_by_element(change: tuple[bytes, bytes], element: str) -> None:
    with refused("cap.bad") as caught:
        from_cap(THUNDERSTORM.replace(*change))
    assert element in str(caught.value.facts["element"])

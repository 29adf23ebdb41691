"""WaterML 2.0 there and back, and what is not WaterML."""

import numpy as np
import pytest
from tests.nodes import refused

from yunmeng.converged.water.exchange import TimeSeries, read_waterml, write_waterml
from yunmeng.kernel.base import instant_us

START = instant_us("2026-07-01T00:00:00Z")
SERIES = TimeSeries(
    "urn:ngsi-ld:HydrologicalStation:61500300",
    "https://w3id.org/yunmeng/discharge",
    "MQS",
    START + np.arange(4, dtype=np.int64) * 3_600_000_000,
    np.array([120.5, np.nan, 130.0, 0.1]),
)

# the form of OGC 10-126r4 clause 9 (a time-value pair with nil), written for this test
FOREIGN = b"""<?xml version="1.0"?>
<wml2:Collection xmlns:wml2="http://www.opengis.net/waterml/2.0" xmlns:om="http://www.opengis.net/om/2.0"
  xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <wml2:observationMember><om:OM_Observation>
  <om:observedProperty xlink:href="http://x/stage"/><om:featureOfInterest xlink:href="http://x/site/1"/>
  <om:result><wml2:MeasurementTimeseries>
   <wml2:defaultPointMetadata><wml2:DefaultTVPMeasurementMetadata><wml2:uom code="m"/>
   </wml2:DefaultTVPMeasurementMetadata></wml2:defaultPointMetadata>
   <wml2:point><wml2:MeasurementTVP><wml2:time>2010-01-01T08:00:00+08:00</wml2:time>
     <wml2:value>15.4</wml2:value></wml2:MeasurementTVP></wml2:point>
   <wml2:point><wml2:MeasurementTVP><wml2:time>2010-01-01T01:00:00Z</wml2:time>
     <wml2:value xsi:nil="true"/></wml2:MeasurementTVP></wml2:point>
  </wml2:MeasurementTimeseries></om:result></om:OM_Observation></wml2:observationMember>
</wml2:Collection>"""


def test_what_was_written_is_read_again() -> None:
    (back,) = read_waterml(write_waterml([SERIES]))
    assert (back.station, back.attribute, back.unit) == (SERIES.station, SERIES.attribute, "MQS")
    assert back.times.tolist() == SERIES.times.tolist()
    assert np.array_equal(back.values, SERIES.values, equal_nan=True)


def test_a_foreign_document_is_read() -> None:
    (series,) = read_waterml(FOREIGN)
    assert series.unit == "MTR"
    assert series.times[0] == instant_us("2010-01-01T00:00:00Z")
    assert series.values[0] == 15.4
    assert np.isnan(series.values[1])


@pytest.mark.parametrize(
    ("old", "new", "element"),
    [
        (b"<wml2:value>15.4", b"<wml2:value>high", "wml2:value"),
        (b"<wml2:value>15.4", b"<wml2:value>inf", "wml2:value"),
        (b"2010-01-01T01:00:00Z", b"2009-01-01T01:00:00Z", "wml2:time"),
        (b"2010-01-01T01:00:00Z", b"soon", "wml2:time"),
        (b'code="m"', b'code="cubits"', "wml2:uom"),
        (b'<om:observedProperty xlink:href="http://x/stage"/>', b"", "om:observedProperty"),
        (b"om:OM_Observation", b"om:Other", "om:OM_Observation"),
        (b"<wml2:Collection ", b"<!DOCTYPE a><wml2:Collection ", "DOCTYPE"),
    ],
)
def test_what_is_no_waterml_is_refused_by_element(old: bytes, new: bytes, element: str) -> None:
    with refused("water.waterml") as caught:
        read_waterml(FOREIGN.replace(old, new))
    assert caught.value.facts["element"] == element

"""A table decides what a field becomes: attribute, unit, scale, words, and what means none."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.field import all_types
from tests.nodes import refused

from yunmeng.kernel.model import Quality
from yunmeng.kernel.sense import DeviceRecord, Devices, Mapper, read_mapping

TABLE = """
[meter]
type = "SmartMeter"
[meter.fields]
plain = "activePower"
watt = { attribute = "activePower", unit = "WTT" }
pulses = { attribute = "energyImported", factor = 0.01, offset = 5, missing = [65535, "FFFF"] }
state = { attribute = "activePower", values = { "0" = "off", "1" = "on" } }
[place]
type = "Reservoir"
id = "urn:ngsi-ld:Reservoir:{division}:{device}"
[place.fields]
level = { attribute = "waterLevel", unit = "CMT" }
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("mapping") / "mapping.toml"
    file.write_text(TABLE, encoding="utf-8")
    return file


def mapper(file: Path, table: str) -> Mapper:
    return Mapper(read_mapping(file)[table], all_types(), gateway="g", division="420100")


@pytest.mark.parametrize(
    ("field", "raw", "value"),
    [
        ("plain", 1.5, 1.5),
        ("plain", "0001.50", "0001.50"),
        ("plain", None, None),
        ("watt", 2300, 2.3),
        ("watt", "2300", 2.3),
        ("watt", None, None),
        ("pulses", 3, 5.03),
        ("pulses", 65535, None),
        ("pulses", "FFFF", None),
        ("state", 1, "on"),
        ("state", "0", "off"),
        ("state", 7, 7),
    ],
)
def test_a_field_becomes_a_value(file: Path, field: str, raw: object, value: object) -> None:
    reading = mapper(file, "meter").reading("7", 1, {field: raw})
    assert reading.values == (value,)
    assert reading.series[0].entity == "urn:ngsi-ld:SmartMeter:g:7"


@given(raw=st.integers(0, 100_000))
def test_a_hundredth_is_what_a_person_would_write(file: Path, raw: int) -> None:
    [value] = mapper(file, "place").reading("7", 1, {"level": raw}).values
    assert value == float(f"{raw}e-2")


def test_fields_without_a_row_are_left_out_and_the_rest_keeps_its_order(file: Path) -> None:
    reading = mapper(file, "meter").reading(
        "7", 12, {"pulses": 0, "strange": 1, "watt": 1000}, quality=Quality.BAD, frame="ab", division="420200"
    )
    assert [(s.attribute.rpartition("/")[2], s.unit) for s in reading.series] == [
        ("energyImported", "KWH"),
        ("activePower", "KWT"),
    ]
    assert (reading.values, reading.observed_at, reading.quality, reading.frame) == ((5.0, 1.0), 12, 2, "ab")
    assert {series.division for series in reading.series} == {"420200"}


def test_the_same_fields_of_a_device_share_their_series(file: Path) -> None:
    meters = mapper(file, "meter")
    one, other = (meters.reading("7", at, {"watt": at}) for at in (1, 2))
    assert one.series is other.series
    assert meters.reading("8", 1, {"watt": 1}).series != one.series
    assert meters.reading("7", 1, {"pulses": 1}).series != one.series


def test_an_id_names_the_division_and_holds_only_what_a_urn_may(file: Path) -> None:
    places = mapper(file, "place")
    assert places.entity("7") == "urn:ngsi-ld:Reservoir:420100:7"
    assert places.entity("7", "420200") == "urn:ngsi-ld:Reservoir:420200:7"
    assert places.entity("鄂A 1<") == "urn:ngsi-ld:Reservoir:420100:%E9%84%82A%201%3C"


@pytest.mark.parametrize("text", ["--", "", "nan", "inf", "1e999"])
def test_text_that_is_no_number_is_refused_where_a_number_is_wanted(file: Path, text: str) -> None:
    with refused("mapping.value"):
        mapper(file, "meter").reading("7", 1, {"watt": text})


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("[meter]", "[meter", "line"),
        ('type = "SmartMeter"', "", "type"),
        ("factor = 0.01", "facter = 0.01", "facter"),
        ("factor = 0.01", 'factor = "a"', "factor"),
        ('"energyImported"', '"energyExported"', "energyExported"),
        ("{division}:{device}", "{division}:{serial}", "serial"),
    ],
)
def test_a_bad_table_is_refused_with_the_reason(tmp_path: Path, old: str, new: str, reason: str) -> None:
    assert old in TABLE
    file = tmp_path / "mapping.toml"
    file.write_text(TABLE.replace(old, new, 1), encoding="utf-8")
    with refused("mapping.bad") as caught:
        for table in read_mapping(file):
            mapper(file, table)
    assert reason in str(caught.value.facts["reason"])


POINTS = """\ufefftable,type,field,name,attribute,unit,factor,values,missing
pump,SmartMeter,1:16385,1号泵有功,activePower,WTT,10,,32767;-32768
pump,SmartMeter,1:16386,备用,,,,,
gate,SluiceGate,1:1,"闸门, 开度",gateOpening,,,0=1.5;1=2,
"""


def test_a_table_of_points_is_a_mapping(tmp_path: Path) -> None:
    file = tmp_path / "points.csv"
    file.write_text(POINTS, encoding="utf-8")
    tables = read_mapping(file)
    assert {name: (table.type, tuple(table.fields)) for name, table in tables.items()} == {
        "pump": ("SmartMeter", ("1:16385",)),
        "gate": ("SluiceGate", ("1:1",)),
    }
    pump: Any = tables["pump"].fields["1:16385"]
    assert (pump.attribute, pump.unit, pump.factor, pump.missing) == (
        "activePower",
        "WTT",
        10,
        (32767, -32768),
    )


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("attribute", "what", "columns: attribute"),
        (",10,", ",ten,", "line 2"),
        ("1:16386,备用,,", "1:16385,备用,activePower,", "line 3: 1:16385: twice"),
        ("pump,SmartMeter,1:16386,备用,", "pump,SluiceGate,1:16386,备用,gateOpening", "line 3: pump"),
    ],
)
def test_a_bad_table_of_points_is_refused_with_the_line(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    file = tmp_path / "points.csv"
    file.write_text(POINTS.replace(old, new, 1), encoding="utf-8")
    with refused("mapping.bad") as caught:
        read_mapping(file)
    assert reason in str(caught.value.facts["reason"])


def test_a_unit_of_another_quantity_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mapping.toml"
    file.write_text(TABLE.replace('"CMT"', '"KWT"'), encoding="utf-8")
    with refused("unit.mismatch"):
        mapper(file, "place")


def test_a_device_speaks_for_the_entity_that_the_register_gives_it(file: Path) -> None:
    lake = "urn:ngsi-ld:Reservoir:42010600001"
    places = Devices([DeviceRecord("g", "7", options={"entity": lake}), DeviceRecord("g", "8")])
    tables = read_mapping(file)
    place = Mapper(tables["place"], all_types(), gateway="g", division="420100", places=places)
    assert place.reading("7", 1, {"level": 950}).series[0].entity == lake
    assert place.entity("8") == "urn:ngsi-ld:Reservoir:420100:8"
    meter = Mapper(tables["meter"], all_types(), gateway="g", division="420100", places=places)
    assert meter.entity("7") == "urn:ngsi-ld:SmartMeter:g:7"

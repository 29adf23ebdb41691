"""What lines of data become: values, statistics, marks, strangers (table 4, table 8, annex C)."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.field import station
from tests.nodes import refused

from yunmeng.gateways.hj212.factors import factors
from yunmeng.gateways.hj212.messages import make_packet
from yunmeng.gateways.hj212.readings import Content, find_table, read_readings, read_time, write_time
from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model import Quality

MN = "010000A8900016F000169DC0"
# 2016-08-01 08:58:57 in Beijing
AT = int(datetime(2016, 8, 1, 0, 58, 57, tzinfo=UTC).timestamp()) * 1_000_000
TABLES = station("hj212").mappers


def read(cp: str, cn: str = "2011", st: str = "32") -> dict[tuple[str, str], tuple[object, Quality, int]]:
    """Value, quality and time by what follows the device's number, and the attribute."""
    packet = make_packet(cn, MN, st=st, qn="20160801085857223", cp=cp)
    return {
        (series.entity.partition(MN)[2], series.attribute.rpartition("/")[2]): (
            value,
            reading.quality,
            reading.observed_at,
        )
        for reading in read_readings(packet, Content(cp), find_table(st, TABLES), "", AT)
        for series, value in zip(reading.series, reading.values, strict=True)
    }


def test_values_of_now() -> None:
    """The example of table C.14, with its sample time and its device's own mark."""
    seen = read(
        "DataTime=20160801085857;w01001-Rtd=7.1,w01001-Flag=N;w01018-SampleTime=20160801070000,"
        "w01018-Rtd=2.2,w01018-Flag=N,w01018-EFlag=A01"
    )
    assert seen.pop(("", "pH")) == (7.1, Quality.GOOD, AT)
    assert seen.pop(("", "cod")) == (2.2, Quality.GOOD, AT)
    ((name, (others, _, _)),) = seen.items()
    assert name == ("", "otherFactors")
    assert json.loads(str(others)) == {"w01018-SampleTime": "20160801070000", "w01018-EFlag": "A01"}


def test_statistics_of_an_hour_are_entities_of_their_own() -> None:
    """The example of table C.17; its time is when the hour begins."""
    seen = read(
        "DataTime=20160801080000;w00000-Cou=63.0,w00000-Min=16.4,w00000-Avg=17.5,w00000-Max=20.1,w00000-Flag=N;"
        "w01018-Cou=63.0,w01018-Min=40.1,w01018-Avg=41.1,w01018-Max=42.1,w01018-Flag=N",
        "2061",
    )
    eight = read_time("20160801080000")
    assert {place: value for place, (value, _, _) in seen.items()} == {
        (":hour", "flow"): 17.5,
        (":hour", "flowAmount"): 63.0,
        (":hour", "cod"): 41.1,
        (":hour", "codAmount"): 63.0,
        (":hour-min", "flow"): 16.4,
        (":hour-min", "cod"): 40.1,
        (":hour-max", "flow"): 20.1,
        (":hour-max", "cod"): 42.1,
    }
    assert {at for _, _, at in seen.values()} == {eight}


@pytest.mark.parametrize(("cn", "period"), [("2051", ":minute"), ("2061", ":hour"), ("2031", ":day")])
def test_periods(cn: str, period: str) -> None:
    assert set(read("DataTime=20160801080000;w01018-Avg=1", cn)) == {(period, "cod")}


def test_converted_values_of_waste_gas() -> None:
    seen = read("DataTime=20160801080000;a21026-Rtd=20.5,a21026-ZsRtd=25.1,a21026-Flag=N", st="31")
    assert (seen[("", "so2")][0], seen[("", "so2Converted")][0]) == (20.5, 25.1)


@pytest.mark.parametrize(
    ("mark", "quality"),
    [
        ("N", Quality.GOOD),
        ("T", Quality.UNCERTAIN),
        ("S", Quality.SUBSTITUTED),
        ("F", Quality.BAD),
        ("M", Quality.BAD),
        ("D", Quality.BAD),
        ("C", Quality.BAD),
        ("B", Quality.BAD),
        ("3", Quality.GOOD),
        ("Z", Quality.UNCERTAIN),
    ],
)
def test_marks_are_qualities_of_their_factor_alone(mark: str, quality: Quality) -> None:
    seen = read(f"DataTime=20160801085857;w01018-Rtd=2.2,w01018-Flag={mark};w01001-Rtd=7.1,w01001-Flag=N")
    assert seen[("", "cod")][1] is quality
    assert seen[("", "pH")][1] is Quality.GOOD
    told = json.loads(str(seen.get(("", "otherFactors"), ("{}",))[0]))
    assert told == ({} if mark == "N" else {"w01018-Flag": mark})


def test_values_that_are_none_or_too_long_or_words() -> None:
    seen = read(
        "DataTime=20160801085857;w01018-Rtd=;w21003-Rtd=--;w21011-Rtd=0.12345678901234567890;w01001-Rtd=low"
    )
    assert seen[("", "cod")] == (None, Quality.MISSING, AT)
    assert seen[("", "ammoniaNitrogen")][0] is None
    assert seen[("", "totalPhosphorus")][0] == "0.12345678901234567890"
    assert json.loads(str(seen[("", "otherFactors")][0])) == {"w01001-Rtd": "low"}


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1_0", "1e400"])
def test_what_only_a_program_calls_a_number_is_none(text: str) -> None:
    seen = read(f"DataTime=20160801085857;w01018-Rtd={text}")
    assert seen.get(("", "cod"), (None,))[0] is None


def test_unknown_factors_are_kept() -> None:
    seen = read("DataTime=20210305003817000;ele01-Rtd=1;w99999-Avg=2.5,w99999-Flag=D")
    assert json.loads(str(seen[("", "otherFactors")][0])) == {"ele01": 1.0, "w99999": 2.5, "w99999-Flag": "D"}


def test_codes_of_2005_are_read_as_todays() -> None:
    seen = read("DataTime=20160824003817;B01-Rtd=36.91;011-Rtd=231.0,011-Flag=N;060-Rtd=1.803,060-Flag=N")
    assert {name: value for (_, name), (value, _, _) in seen.items()} == {
        "flow": 36.91,
        "cod": 231.0,
        "ammoniaNitrogen": 1.803,
    }


def test_states_and_hours_of_facilities() -> None:
    """Tables C.15 and C.19."""
    states = read("DataTime=20160801085857;SB1-RS=1;SB2-RS=0", "2021")
    assert json.loads(str(states[("", "facilityStates")][0])) == {"SB1": 1.0, "SB2": 0.0}
    hours = read("DataTime=20160801000000;SB1-RT=1.1;SB2-RT=2.1", "2041")
    assert json.loads(str(hours[("", "facilityHours")][0])) == {"SB1": 1.1, "SB2": 2.1}


def test_noise() -> None:
    """Tables C.25 to C.28."""
    assert read("DataTime=20160801085857;LA-Rtd=50.1", st="23")[("", "LA")][0] == 50.1
    hour = read("DataTime=20160801080000;L5-Data=53.0;Leq-Data=51.2,Leq-Flag=N", "2061", "23")
    assert {place: value for place, (value, _, _) in hour.items()} == {
        (":hour", "L5"): 53.0,
        (":hour", "LAeq"): 51.2,
    }
    day = read("DataTime=20160801000000;Leq-DayData=55.0;Leq-NightData=44.0", "2031", "23")
    assert {place: value for place, (value, _, _) in day.items()} == {
        (":day-day", "LAeq"): 55.0,
        (":day-night", "LAeq"): 44.0,
    }


@pytest.mark.parametrize(
    ("st", "cp", "attribute", "value", "type"),
    [
        ("21", "w01009-Rtd=8.1", "O2", 8.1, "WaterQualityObserved"),
        ("22", "a34004-Rtd=35", "pm25", 35, "AirQualityObserved"),
        # the standard's milligrams of sulphur dioxide are micrograms in ambient air's table
        ("22", "a21026-Rtd=0.021", "so2", 21, "AirQualityObserved"),
        ("39", "LA-Rtd=61", "noiseLevel", 61, "AirQualityObserved"),
        ("51", "a34013-Rtd=6", "smokeDust", 6, "WasteGasOutlet"),
        ("32", "w20089-Rtd=120", "thallium", 0.12, "WastewaterOutlet"),
        ("32", "w20111-Cou=1500", "totalMercuryAmount", 1.5, "WastewaterOutlet"),
    ],
)
def test_systems_have_tables(st: str, cp: str, attribute: str, value: float, type: str) -> None:
    packet = make_packet("2011", MN, st=st, cp=f"DataTime=20160801085857;{cp}")
    (reading,) = read_readings(packet, Content(packet.cp), find_table(st, TABLES), "", AT)
    assert reading.series[0].attribute.endswith(f"/{attribute}")
    assert reading.series[0].type.endswith(type)
    assert reading.values[0] == pytest.approx(value)


@pytest.mark.parametrize("text", ["2016080108585", "20161301085857", "2016080108585x", "2016080108585700"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with refused("frame.bad"):
        read_time(text)


@given(st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30), timezones=st.just(UTC)))
def test_times_come_back(moment: datetime) -> None:
    at = int(moment.timestamp() * 1000) * 1000
    assert read_time(write_time(at, milliseconds=True)) == at


@given(st.text("w01-RtdFlagCou=,;.-+eE_xyz \u6c34", max_size=80), st.sampled_from(["2011", "2061", "3020"]))
def test_any_content_is_read_or_refused(cp: str, cn: str) -> None:
    packet = make_packet(cn, MN, qn="20160801085857223", cp=cp)
    try:
        readings = read_readings(packet, Content(cp), find_table(st, TABLES), "", AT)
    except BadInput as refusal:
        assert refusal.key == "frame.bad"  # noqa: PT017
    else:
        assert all(len(reading.series) == len(reading.values) for reading in readings)


def test_the_table_of_factors_is_whole() -> None:
    codes = factors()
    assert len(codes) == 184 + 12
    assert codes["w01018"].zh == "化学需氧量"
    assert (codes["w01018"].unit, codes["w01018"].amount_unit, codes["w01018"].old) == ("M1", "KGM", "011")
    olds = [row.old for row in codes.values() if row.old]
    assert len(olds) == len(set(olds))


def test_a_mapping_without_a_table_for_the_system_is_named() -> None:
    with refused("mapping.absent"):
        find_table("22", {"st21": TABLES["st21"]})

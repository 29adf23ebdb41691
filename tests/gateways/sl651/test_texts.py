"""Texts of SL 651 in both codings: elements, times, signs, missing values, series."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.nodes import refused

from yunmeng.gateways.sl651.ascii_text import read_ascii
from yunmeng.gateways.sl651.hex_text import read_hex
from yunmeng.gateways.sl651.messages import Report
from yunmeng.gateways.sl651.tables import Element, codes, elements, parameters, series_elements
from yunmeng.gateways.sl651.values import read_digits, read_time, write_digits, write_time
from yunmeng.gateways.sl651.writing import (
    Item,
    element_item,
    series_item,
    station_item,
    step_item,
    time_item,
    write_text,
)
from yunmeng.kernel.base import BadInput

# 2017-07-18 11:00 in Beijing
ELEVEN = int(datetime(2017, 7, 18, 3, tzinfo=UTC).timestamp()) * 1_000_000
MINUTE = 60_000_000
HEAD = "0033" + "170718110014"
STATION = "F1F1001122334448"


def hexed(text: str) -> Report:
    return read_hex(bytes.fromhex(HEAD + STATION + text))


def asciied(text: str) -> Report:
    return read_ascii(f"{HEAD}ST 0011223344 H {text}".encode())


def test_an_hour_of_rain_and_levels_has_a_time_each() -> None:
    """The published hourly report: rain of 10:05 to 11:00, relative levels, what is so at 11:00."""
    report = hexed(
        "F0F01707181005F4600500000014FFFFFFFFFF0000F0F017071811002619000040F0F01707181005F5C0"
        "000C000C001C00310031FFFFFFFFFFFFFFFFFFFF00310031F0F017071811003923000104902019000040"
        "38121099"
    )
    rain, level = report.series
    assert (rain.name, rain.station, rain.kind) == ("DRP", "0011223344", "H")
    # FF is no value, 14H are 2.0 mm
    assert [value for _, value in rain.values] == [0.5, 0.0, 0.0, 0.0, 2.0, *[None] * 5, 0.0, 0.0]
    assert [at for at, _ in rain.values] == [ELEVEN + minutes * MINUTE for minutes in range(-55, 1, 5)]
    assert [value for _, value in level.values][:5] == [0.12, 0.12, 0.28, 0.49, 0.49]
    assert level.values[5:10] == [(ELEVEN + m * MINUTE, None) for m in range(-30, -5, 5)]
    assert [group.fields for group in report.groups] == [
        {"PT": 4.0},
        {"Z": 10.49, "PJ": 4.0, "VT": 10.99},
    ]
    assert {group.observed_at for group in report.groups} == {ELEVEN}
    assert (report.serial, report.sent_at) == (0x33, ELEVEN + 14_000_000)


def test_the_same_hour_in_ascii() -> None:
    report = asciied(
        "TT 1707181005 DRP 0500000014FFFFFFFFFF0000 TT 1707181100 PT 4.0 Z 10.490 PJ 4.0 VT 10.99 "
    )
    (rain,) = report.series
    assert [value for _, value in rain.values] == [0.5, 0.0, 0.0, 0.0, 2.0, *[None] * 5, 0.0, 0.0]
    assert rain.values[0][0] == ELEVEN - 55 * MINUTE
    assert [group.fields for group in report.groups] == [{"PT": 4.0, "Z": 10.49, "PJ": 4.0, "VT": 10.99}]


@pytest.mark.parametrize(
    ("digits", "decimals", "value"),
    [
        ("00001049", 2, 10.49),
        ("ff01234567", 3, -1234.567),  # eight digits: FF before them (6.6.3.3 a)
        ("ff0123", 1, -12.3),  # three digits: FF0 before them
        ("ffffff", 1, None),
        ("ff", 0, None),
        ("", 0, None),
        ("12", 0, 12),
        ("1234567890123456789012", 3, "1234567890123456789.012"),
    ],
)
def test_digits(digits: str, decimals: int, value: object) -> None:
    assert read_digits(digits, decimals) == value


@pytest.mark.parametrize("digits", ["1a", "fffa", "ff1f"])
def test_what_is_no_bcd_is_refused(digits: str) -> None:
    with refused("frame.bad"):
        read_digits(digits, 0)


@given(st.integers(1, 11), st.integers(0, 5), st.data())
def test_numbers_come_back(digits: int, decimals: int, data: st.DataObject) -> None:
    most = 10**digits - 1
    value = data.draw(st.integers(-most, most)) / 10**decimals
    written = write_digits(value, digits, decimals).hex()
    assert len(written) % 2 == 0
    assert read_digits(written, decimals) == pytest.approx(value, abs=1e-9)


@given(st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30), timezones=st.just(UTC)))
def test_times_come_back(moment: datetime) -> None:
    at = int(moment.timestamp()) * 1_000_000
    assert read_time(write_time(at)) == at


@pytest.mark.parametrize("text", ["1713181100", "170718", "17071811aa", "1707182500"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with refused("frame.bad"):
        read_time(text)


def test_negative_levels_missing_values_and_strangers() -> None:
    report = hexed("F0F01707181100" + "392BFF00123456"[:14] + "0312FFFF" + "76110042" + "FF21080A"[:6] + "07")
    (group,) = report.groups
    # 76H is not defined by the standard, FF 21 is the user's own
    assert group.fields == {"Z": -123.456, "C": None, "76": 4.2, "FF21": 7}


def test_gates_repeat() -> None:
    first = "0B0801" + "0A100001" + "091A000150" + "312B0000012000"
    second = "0A100002" + "091A000300" + "312B0000013000"
    (group,) = hexed("F0F01707181100" + "3B2300157300" + first + second).groups
    assert group.fields == {"ZU": 157.3}
    assert group.gates == [{"GS": 1, "GN": 1, "GH": 1.5, "QZ": 12.0}, {"GN": 2, "GH": 3.0, "QZ": 13.0}]
    (same,) = asciied("TT 1707181100 GS 1 GN 1 GH 1.50 QZ 12.000 GN 2 GH 3.00 QZ 13.000 ").groups
    assert same.gates == group.gates


def test_several_stations_in_one_text() -> None:
    report = hexed("F0F017071811002019000040" + "F1F1001122334550" + "F0F017071811052019000050")
    assert [(group.station, group.kind, group.fields) for group in report.groups] == [
        ("0011223344", "H", {"PJ": 4.0}),
        ("0011223345", "P", {"PJ": 5.0}),
    ]
    assert report.groups[1].observed_at == ELEVEN + 5 * MINUTE


def test_values_at_equal_steps() -> None:
    """The uniform report (6.6.4.4): one element in HEX/BCD, several in ASCII; F and M stand for none."""
    (levels,) = hexed("F0F01707181100" + "0418000006" + "3923" + "00010490" + "FFFFFFFF" + "00010510").series
    assert levels.name == "Z"
    assert levels.values == [(ELEVEN, 10.49), (ELEVEN + 6 * MINUTE, None), (ELEVEN + 12 * MINUTE, 10.51)]
    level, rain = asciied("TT 1707181100 DRH01 Z PN30 10.49 0.5 M 1.0 10.51 M ").series
    hour = 60 * MINUTE
    assert level.values == [(ELEVEN, 10.49), (ELEVEN + hour, None), (ELEVEN + 2 * hour, 10.51)]
    assert rain.values == [(ELEVEN, 0.5), (ELEVEN + hour, 1.0), (ELEVEN + 2 * hour, None)]


def test_a_duration_is_hours_and_minutes() -> None:
    assert hexed("F0F01707181100" + "05120130").groups[0].fields == {"DT": 90}
    assert asciied("TT 1707181100 DT 1.30 ").groups[0].fields == {"DT": 90}


def test_status_is_four_bytes() -> None:
    assert hexed("452000000403").groups[0].fields == {"ZT": 0x403}
    assert asciied("ZT 00000403 ").groups[0].fields == {"ZT": 0x403}


def test_a_picture_and_a_manual_report_keep_their_bytes() -> None:
    assert hexed("F0F01707181100F3F3FFD8FFE0").picture == b"\xff\xd8\xff\xe0"
    picture = read_ascii(HEAD.encode() + b"ST 0011223344 H TT 1707181100 PIC \xff\xd8 \x03\xe0")
    assert picture.picture == b"\xff\xd8 \x03\xe0"
    assert read_hex(bytes.fromhex(HEAD + "F2F25120312E32333420")).manual == "Q 1.234"
    assert read_ascii(HEAD.encode() + b"RGZS Q 1.234 P 3 ").manual == "Q 1.234 P 3"


@pytest.mark.parametrize(
    "text",
    ["3923000104", "39", "F0F0170718", "F1F10011", "F46005000000", "0418000005", "041800000539230001", "FF"],
)
def test_a_text_that_is_cut_off_is_refused(text: str) -> None:
    with refused("frame.bad"):
        hexed(text)


@pytest.mark.parametrize(
    "text", ["Z ", "ST ", "TT 17 ", "Z 1x ", "DRP 0 ", "DRP xx ", "DRN05 Z PJ 1 ", "DRN05 1 ", "ZT xyz "]
)
def test_words_that_do_not_fit_are_refused(text: str) -> None:
    with refused("frame.bad"):
        asciied(text)


@given(st.binary(max_size=200))
def test_any_text_is_read_or_refused(text: bytes) -> None:
    for read in (read_hex, read_ascii):
        for whole in (text, bytes.fromhex(HEAD) + text, HEAD.encode() + text):
            assert _key(read, whole) in ("", "frame.bad")


def _key(read: Callable[[bytes], Report], text: bytes) -> str:
    try:
        read(text)
    except BadInput as refusal:
        return refusal.key
    return ""


singles = st.sampled_from([row for row in elements().values() if row.code not in ("ZT", "DT")])


@given(st.lists(singles, min_size=1, max_size=6, unique_by=lambda row: row.code), st.data(), st.booleans())
def test_what_is_written_is_read(rows: list[Element], data: st.DataObject, is_ascii: bool) -> None:
    values = {
        row.code: data.draw(
            st.none() | st.integers(0, 10**row.digits - 1).map(lambda n, d=row.decimals: n / 10**d)
        )
        for row in rows
    }
    drp = codes()["DRP"]
    rain = data.draw(
        st.lists(st.none() | st.integers(0, 254).map(lambda n: n / 10), min_size=12, max_size=12)
    )
    assert not isinstance(drp, Element)
    items = [
        station_item("0011223344", "H"),
        time_item(ELEVEN),
        *[element_item(row, values[row.code]) for row in rows],
    ]
    items += [series_item(drp, rain)]
    text = write_text(7, ELEVEN, items, is_ascii=is_ascii)
    report = read_ascii(text) if is_ascii else read_hex(text)
    fields = {code: value for group in report.groups for code, value in group.fields.items()}
    for group in report.groups:
        for gate in group.gates:
            fields |= gate
    assert fields == pytest.approx(values)
    assert [value for _, value in report.series[0].values] == pytest.approx(rain)


@pytest.mark.parametrize(
    ("minutes", "digits", "word"),
    [
        (5, "0418000005", "DRN05 "),
        (60, "0418000100", "DRH01 "),
        (1440, "0418010000", "DRD01 "),
        (0, "0418000000", "DRH00 "),
    ],
)
def test_steps_of_time(minutes: int, digits: str, word: str) -> None:
    assert step_item(minutes) == Item(bytes.fromhex(digits), word)


def test_the_tables_are_whole() -> None:
    assert len(elements()) == 0x75 - 1  # 01H to 75H without the step of time
    assert sorted(series_elements()) == list(range(0xF4, 0xFD))
    assert set(parameters()) == {*range(0x01, 0x10), *range(0x20, 0xA1)}

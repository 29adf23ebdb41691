from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunmeng.kernel.base import (
    SHANGHAI,
    BadInput,
    datetime_us,
    format_us,
    from_us,
    instant_us,
    now,
    now_us,
    parse_instant,
)

FIRST = -62_135_596_800_000_000
LAST = 253_402_300_799_999_999
instants = st.datetimes(timezones=st.just(UTC))
offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.integers(FIRST, LAST))
def test_format_and_parse_are_inverse(us):
    assert instant_us(format_us(us)) == us
    assert datetime_us(from_us(us)) == us


@given(instants)
def test_python_and_we_agree(instant):
    assert parse_instant(instant.isoformat()) == instant
    assert from_us(datetime_us(instant)) == instant


@given(st.datetimes(min_value=datetime(2, 1, 2), max_value=datetime(9998, 12, 30)), offsets)
def test_offsets_are_honoured(naive, zone):
    local = naive.replace(tzinfo=zone)
    found = parse_instant(local.isoformat())
    assert found == local
    assert found.utcoffset() == timedelta(0)
    assert instant_us(local.isoformat()) == datetime_us(local)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        outcome = parse_instant(text).tzinfo
    except BadInput as error:
        outcome = error.key
    assert outcome in {UTC, "time.bad", "time.naive"}


def test_the_documented_form():
    assert format_us(instant_us("2026-11-22T12:00:00.123+08:00")) == "2026-11-22T04:00:00.123Z"
    assert format_us(instant_us("2026-11-22T04:00:00.123456Z")) == "2026-11-22T04:00:00.123456Z"
    assert format_us(-1) == "1969-12-31T23:59:59.999999Z"
    assert format_us(FIRST) == "0001-01-01T00:00:00.000Z"
    assert instant_us("2026-11-22T04:00:00.1234567Z") == instant_us("2026-11-22T04:00:00.123456Z")


@pytest.mark.parametrize("text", ["2026-11-22T04:00:00", "2026-11-22T04:00", "2026-11-22T04:00:00.5"])
def test_a_naive_time_is_refused(text):
    for read in (parse_instant, instant_us):
        with pytest.raises(BadInput) as caught:
            read(text)
        assert caught.value.key == "time.naive"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-11-22",
        "2026-11-22 04:00:00Z",
        "2026-11-22x04:00:00Z",
        "20261122T040000Z",
        "2026-W47-7T04:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-11-22T25:00:00Z",
        "2026-11-22T04:00:00+25:00",
        "２０２６-11-22T04:00:00Z",
        1_763_784_000,
        None,
    ],
)
def test_what_is_no_instant_is_refused(text):
    with pytest.raises(BadInput) as caught:
        instant_us(text)
    assert caught.value.key == "time.bad"


def test_an_instant_before_the_calendar_is_refused():
    with pytest.raises(BadInput) as caught:
        parse_instant("0001-01-01T00:00:00+08:00")
    assert caught.value.key == "time.bad"


@pytest.mark.parametrize("us", [FIRST - 1, LAST + 1, 10**30])
def test_microseconds_outside_the_calendar_are_refused(us):
    with pytest.raises(BadInput, match="no ISO 8601"):
        format_us(us)


def test_a_naive_datetime_is_refused():
    with pytest.raises(BadInput, match="time zone"):
        datetime_us(datetime(2026, 11, 22))


def test_now_is_utc_and_agrees_with_its_microseconds():
    assert now().tzinfo is UTC
    assert abs(datetime_us(now()) - now_us()) < 5_000_000


def test_shanghai_is_eight_hours_ahead():
    assert parse_instant("2026-11-22T04:00:00Z").astimezone(SHANGHAI).hour == 12

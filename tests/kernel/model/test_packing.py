import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunmeng.kernel.base import BadInput
from yunmeng.kernel.model import Quality, Row, Series, decode_batch, encode_batch, make_batch

LEVEL = Series("urn:ngsi-ld:Reservoir:1", "https://w3id.org/yunmeng/waterLevel", "R", "420106", "MTR")
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
series = st.builds(Series, texts, texts, texts, texts, texts, st.booleans())
values = st.none() | st.floats(allow_nan=False) | st.integers(-(2**70), 2**70) | texts
times = st.integers(-(2**62), 2**62)
rows = st.builds(Row, series, times, values, st.sampled_from(Quality), texts)


@given(st.lists(rows, max_size=20), texts, texts, times)
def test_a_batch_comes_back_as_it_went(packed, gateway, tenant, received_at):
    batch = make_batch(packed, gateway=gateway, received_at=received_at, tenant=tenant)
    back = decode_batch(encode_batch(batch))
    assert (back.tenant, back.gateway, back.received_at, back.series) == (
        tenant, gateway, received_at, batch.series,
    )  # fmt: skip
    for column in ("index", "observed_at", "number", "quality"):
        assert np.array_equal(getattr(back, column), getattr(batch, column), equal_nan=column == "number")
        assert getattr(back, column).dtype == getattr(batch, column).dtype
    assert (dict(back.text), dict(back.frame)) == (batch.text, batch.frame)
    assert [back.series[place] for place in back.index] == [row.series for row in packed]


@pytest.mark.parametrize(
    ("value", "number", "text"),
    [
        ("12.30", 12.3, "12.30"),
        ("12.3", 12.3, None),
        ("7", 7.0, None),
        ("0.1000000000000000055", 0.1, "0.1000000000000000055"),
        ("open", math.nan, "open"),
        ("1_000", math.nan, "1_000"),
        ("NaN", math.nan, "NaN"),
        ("1e999", math.nan, "1e999"),
        (None, math.nan, None),
        (2**53 + 1, float(2**53), str(2**53 + 1)),
    ],
)
def test_text_is_kept_where_a_float_would_change_it(value, number, text):
    batch = make_batch([Row(LEVEL, 0, value)], gateway="g", received_at=1)
    assert batch.number[0] == pytest.approx(number, rel=0, abs=0, nan_ok=True)
    assert batch.text.get(0) == text


@given(st.binary(max_size=200))
def test_damaged_bytes_are_refused(data):
    with pytest.raises(BadInput) as caught:
        decode_batch(data)
    assert caught.value.key == "batch.bad"


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, 2),
        (5, ["urn:a", "urn:b"]),
        (6, b"\x05\0\0\0"),
        (7, b"\x05\0\0\0"),
        (8, b"\0" * 16),
        (8, b"\0" * 7),
        (11, {1: "x"}),
    ],
)
def test_batches_that_contradict_themselves_are_refused(place, value):
    wire = msgspec.msgpack.decode(encode_batch(make_batch([Row(LEVEL, 5, 1.5)], gateway="g", received_at=1)))
    wire[place] = value
    with pytest.raises(BadInput, match="damaged"):
        decode_batch(msgspec.msgpack.encode(wire))


def test_equal_series_are_stored_once():
    batch = make_batch([Row(LEVEL, at, float(at)) for at in range(100)], gateway="g", received_at=1)
    assert batch.series == (LEVEL,)
    assert len(encode_batch(batch)) < 100 * 25


def test_what_series_share_travels_once():
    many = [
        Row(Series(f"urn:ngsi-ld:M:{n:04d}", "https://w3id.org/a/attribute", "T", "420106"), 0, 1.0)
        for n in range(500)
    ]
    assert len(encode_batch(make_batch(many, gateway="g", received_at=1))) < 500 * 50

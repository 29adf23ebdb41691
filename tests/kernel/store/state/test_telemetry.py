"""The newest of a batch, bands, and how kept values become JSON."""

import json
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from yunmeng.kernel.model import ObservationBatch, Quality, Series
from yunmeng.kernel.store.state.telemetry import (
    band,
    bands,
    is_json_number,
    json_value,
    last_key,
    newest,
    split_key,
)

finite = st.floats(allow_nan=False, allow_infinity=False)
rows = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.integers(-5, 5),
        finite | st.just(math.nan),
        st.sampled_from([0, 2, Quality.MISSING]),
    ),
    max_size=12,
)


def batch(found: list[tuple[int, int, float, int]]) -> ObservationBatch:
    return ObservationBatch(
        "",
        "g",
        0,
        tuple(Series(f"e{n}", "a", "t", "42") for n in range(5)),
        np.array([row[0] for row in found], np.uint32),
        np.array([row[1] for row in found], np.int64),
        np.array([row[2] for row in found], np.float64),
        np.array([row[3] for row in found], np.uint8),
    )


@given(st.lists(rows, max_size=3))
def test_the_newest_is_what_a_plain_loop_finds(batches: list[list[tuple[int, int, float, int]]]) -> None:
    expected: dict[int, tuple[int, float]] = {}
    for found in batches:
        for series, at, number, quality in found:
            present = not math.isnan(number) and quality != Quality.MISSING and series != 4
            if present and at >= expected.get(series, (-99, 0.0))[0]:
                expected[series] = (at, number)
    values = newest(
        map(batch, batches), lambda _tenant, entity, _attribute: int(entity[1]) if entity != "e4" else None
    )
    pairs = zip(values.observed_at.tolist(), values.numbers.tolist(), strict=True)
    found = dict(zip(values.keys.tolist(), pairs, strict=True))
    assert found == expected
    assert values.keys.tolist() == sorted(expected)


@given(finite, finite)
def test_bands_keep_the_order(one: float, other: float) -> None:
    assert (band(one) <= band(other)) or one > other
    assert band(0.0) == band(-0.0)


def test_bands_are_narrow() -> None:
    values = np.array([220.0, 225.0, -220.0, math.nan])
    first, second, negative, none = bands(values).tolist()
    assert none < negative < first < second


@given(finite)
def test_numbers_survive_as_json(number: float) -> None:
    assert json.loads(json_value(number, None)) == number


@given(st.text())
def test_texts_survive_as_json(text: str) -> None:
    value = json.loads(json_value(None, text), parse_float=str, parse_int=str)
    assert value == text


@given(st.integers(0, 2**40), st.integers(0, 2**20 - 1))
def test_keys_hold_entity_and_attribute(row: int, attribute: int) -> None:
    assert split_key(last_key(row, attribute)) == (row, attribute)


def test_only_json_numbers_are_numbers() -> None:
    assert [
        t for t in ("1", "-0.50", "1e5", "٣", "01", "+1", "1.", ".5", "inf", "", " 1") if is_json_number(t)
    ] == [
        "1",
        "-0.50",
        "1e5",
    ]

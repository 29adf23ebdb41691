"""JSON payloads: where the device, the time and the values stand."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunmeng.gateways.mqtt.readings import JsonReader
from yunmeng.gateways.mqtt.tables import TopicRow, chosen_topics
from yunmeng.kernel.base import BadInput, instant_us

AT = instant_us("2026-07-01T08:00:00Z")


def read(row: TopicRow, payload: object, device: str = "d1") -> list[tuple[str, int, dict[str, object]]]:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return [
        (d, at, dict(fields)) for d, at, fields in JsonReader(row).read({"device": device}, "t", data, AT)
    ]


@pytest.mark.parametrize(
    ("form", "raw"),
    [
        ("iso", "2026-07-01T08:00:00Z"),
        ("iso", "2026-07-01T16:00:00+08:00"),
        ("beijing", "2026-07-01 16:00:00"),
        ("beijing", "2026-07-01T08:00:00+00:00"),
        ("s", AT // 1_000_000),
        ("s", str(AT / 1e6)),
        ("ms", AT // 1000),
        ("us", AT),
        ("ns", AT * 1000),
    ],
)
def test_a_time_is_read_in_its_form(form: str, raw: object) -> None:
    row = TopicRow({"t": "v"}, "x/{device}", time="when", time_form=form)  # pyright: ignore[reportArgumentType]
    assert read(row, {"when": raw, "v": 1}) == [("d1", AT, {"t": 1})]


@pytest.mark.parametrize(
    ("form", "raw"),
    [
        ("iso", "2026-07-01T08:00:00"),
        ("iso", 5),
        ("beijing", "soon"),
        ("s", AT // 1000),
        ("ms", -1),
        ("ms", None),
        ("s", "nan"),
        ("s", "inf"),
        ("ms", True),
    ],
)
def test_a_time_of_another_form_is_refused(form: str, raw: object) -> None:
    row = TopicRow({"t": "v"}, "x/{device}", time="when", time_form=form)  # pyright: ignore[reportArgumentType]
    with pytest.raises(BadInput):
        read(row, {"when": raw, "v": 1})


def test_readings_of_an_array_may_share_a_time_and_name_their_device() -> None:
    row = TopicRow({"t": "v"}, "x", device="gw.id", readings="data", time="/at", time_form="ms")
    payload = {"gw": {"id": 7}, "at": AT // 1000, "data": [{"v": 1.5}, {"v": None}]}
    assert read(row, payload) == [("7", AT, {"t": 1.5}), ("7", AT, {"t": None})]


def test_pairs_of_name_and_value_become_one_reading_a_time() -> None:
    row = TopicRow(
        {"t": "temp", "on": "sw"}, "x/{device}", readings="e", time="t", time_form="s", name="n", value="v"
    )
    second = AT // 1_000_000
    pairs = [("temp", 21.5, second), ("sw", True, second), ("other", 1, second), ("temp", 22, second + 1)]
    payload = {"e": [{"n": n, "v": v, "t": t} for n, v, t in pairs]}
    assert read(row, payload) == [("d1", AT, {"t": 21.5, "on": 1}), ("d1", AT + 1_000_000, {"t": 22})]


@pytest.mark.parametrize("payload", [b"", b"[", b"5", b'{"v": {}}', b'{"v": [1]}', b"{}", b"[]" * 3, b"\xff"])
def test_what_is_no_reading_is_refused(payload: bytes) -> None:
    with pytest.raises(BadInput) as refused:
        read(TopicRow({"t": "v"}, "x/{device}"), payload)
    assert refused.value.key == "mqtt.payload"
    assert refused.value.facts["topic"] == "t"


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(BadInput):
        read(TopicRow({"t": "v"}, "x/{device}"), b'{"v":' * 100_000)


@given(st.binary(max_size=80))
def test_any_payload_is_read_or_refused(payload: bytes) -> None:
    for row in chosen_topics({}).values():
        if row.topic:
            try:
                found = read(row, payload)
            except BadInput:
                continue
            assert all(fields for _, _, fields in found)

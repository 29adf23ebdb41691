"""Values, status codes, node ids and tables of points."""

import math
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.field import station
from tests.nodes import refused

from yunmeng.gateways.opcua.nodes import name_of, resolve
from yunmeng.gateways.opcua.points import Point, read_points
from yunmeng.gateways.opcua.values import micros, plain, quality_of, read_value
from yunmeng.kernel.base import Broken, instant_us
from yunmeng.kernel.model import Quality

asyncua = pytest.importorskip("asyncua", reason="the extra `opcua` is not installed")
ua = asyncua.ua
AT = instant_us("2026-07-01T08:00:00Z")
NAMESPACES = ["http://opcfoundation.org/UA/", "urn:server", "http://plant.example/"]


@pytest.mark.parametrize(
    ("status", "quality"),
    [
        ("Good", Quality.GOOD),
        ("GoodClamped", Quality.GOOD),
        ("GoodLocalOverride", Quality.SUBSTITUTED),
        ("Uncertain", Quality.UNCERTAIN),
        ("UncertainSubstituteValue", Quality.SUBSTITUTED),
        ("Bad", Quality.BAD),
        ("BadNoCommunication", Quality.BAD),
        ("BadNoData", Quality.MISSING),
        ("BadWaitingForInitialData", Quality.MISSING),
    ],
)
def test_status_codes_are_qualities(status: str, quality: Quality) -> None:
    assert quality_of(getattr(ua.StatusCodes, status)) is quality


@given(st.integers(0, 2**32 - 1))
def test_any_status_code_has_a_quality(status: int) -> None:
    assert isinstance(quality_of(status), Quality)
    if status >> 30 >= 2:
        assert quality_of(status) in (Quality.BAD, Quality.MISSING)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (True, 1),
        (False, 0),
        (7, 7),
        (1.5, 1.5),
        (math.nan, None),
        (math.inf, None),
        (None, None),
        ("run", "run"),
        (datetime(2026, 7, 1, 8, tzinfo=UTC), "2026-07-01T08:00:00.000Z"),
        (ua.LocalizedText("zu"), "zu"),
        (ua.NodeClass.Variable, 2),
    ],
)
def test_values_are_kept_as_they_are(raw: Any, value: Any) -> None:
    assert plain("n", raw) == value


@pytest.mark.parametrize("raw", [[1, 2], b"x", ua.Argument()])
def test_what_is_no_single_value_is_refused(raw: Any) -> None:
    with refused("opcua.value"):
        plain("n", raw)


def test_the_sources_time_goes_first() -> None:
    source, server = datetime(2026, 7, 1, 7, tzinfo=UTC), datetime(2026, 7, 1, 7, 30, tzinfo=UTC)
    both = ua.DataValue(ua.Variant(1.0), SourceTimestamp=source, ServerTimestamp=server)
    one = ua.DataValue(ua.Variant(1.0), SourceTimestamp=None, ServerTimestamp=server)
    none = ua.DataValue(ua.Variant(1.0), SourceTimestamp=None, ServerTimestamp=None)
    assert [read_value("n", each, AT)[2] for each in (both, one, none)] == [
        AT - 3_600_000_000,
        AT - 1_800_000_000,
        AT,
    ]


def test_a_time_without_a_zone_is_utc() -> None:
    aware = datetime(2026, 7, 1, 16, tzinfo=timezone(timedelta(hours=8)))
    assert micros(datetime(2026, 7, 1, 8)) == micros(aware) == AT


def test_nothing_said_is_missing() -> None:
    assert read_value("n", ua.DataValue(ua.Variant(None)), AT)[:2] == (None, Quality.MISSING)


def test_node_ids_go_by_namespace() -> None:
    id = resolve("nsu=http://plant.example/;s=Pump1.Flow", NAMESPACES)
    assert (id.NamespaceIndex, id.Identifier) == (2, "Pump1.Flow")
    assert name_of(id, NAMESPACES) == "nsu=http://plant.example/;s=Pump1.Flow"
    assert resolve("ns=1;i=85", NAMESPACES) == ua.NodeId(85, 1)
    for wrong in ("nsu=http://else.example/;s=a", "what", "ns=x;i=1"):
        with refused("opcua.node"):
            resolve(wrong, NAMESPACES)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20))
def test_a_node_id_comes_back_as_it_was_named(identifier: str) -> None:
    text = f"nsu=http://plant.example/;s={identifier}"
    assert name_of(resolve(text, NAMESPACES), NAMESPACES) == text


def test_points_carry_what_their_table_says(tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    file.write_text(
        "field,deadband,sampling,access,object\n"
        "nsu=urn:yunmeng:simulation:plant;s=Pump1.Flow,2%,250,,\n"
        "ns=1;s=Switch,,,call,ns=1;s=Pump\n"
        "ns=1;s=Spare,,,,\n"
    )
    points = {point.node: point for point in read_points(station("opcua").mappers, file)}
    flow = "nsu=urn:yunmeng:simulation:plant;s=Pump1.Flow"
    assert points[flow] == Point(flow, "pump1", 2.0, True, 250.0)
    assert points["ns=1;s=Switch"] == Point("ns=1;s=Switch", access="call", object="ns=1;s=Pump")
    assert "ns=1;s=Spare" not in points
    assert len(points) == 16


@pytest.mark.parametrize("row", ["a,x,,,", "a,-1,,,", "a,nan,,,", "a,,,fly,", 'a,"x'])
def test_a_table_that_is_none_is_refused(row: str, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(f"field,deadband,sampling,access,object\n{row}\n")
    with pytest.raises(Broken):
        read_points({}, tmp_path / "p.csv")

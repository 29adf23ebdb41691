"""Areas and routes for terminals, byte by byte after the tables of JT/T 808-2013 (8.33 to 8.40) and 2019."""

from typing import Any

import pytest
from tests.nodes import refused

from yunmeng.gateways.jt808.codec import NO_VERSION
from yunmeng.gateways.jt808.commands import build


def point(latitude: float, longitude: float) -> str:
    return f"{round(latitude * 1e6):08x}{round(longitude * 1e6):08x}"


WUHAN = point(30.59, 114.3)
CIRCLE = {"id": 7, "latitude": 30.59, "longitude": 114.3, "radius_m": 500}


@pytest.mark.parametrize(
    ("name", "arguments", "id", "old", "new"),
    [
        (
            "set-circles",
            {"areas": [CIRCLE]},
            0x8600,
            "0101" + "00000007" + "0000" + WUHAN + "000001f4",
            "0101" + "00000007" + "0000" + WUHAN + "000001f4" + "0000",
        ),
        (
            "set-circles",
            {
                "mode": "update",
                "areas": [
                    {
                        **CIRCLE,
                        "begin": "2026-07-01T12:00:00+08:00",
                        "end": "23:30:00",
                        "speed_limit": 60,
                        "for_s": 5,
                        "night_speed_limit": 40,
                        "alarms": ["enter-platform", "leave-driver"],
                        "name": "汉口",
                    }
                ],
            },
            0x8600,
            "0001" + "00000007" + "001b" + WUHAN + "000001f4" + "260701120000" + "000000233000" + "003c05",
            "0001" + "00000007" + "001b" + WUHAN + "000001f4" + "260701120000" + "000000233000" + "003c05"
            + "0028" + "0004" + "汉口".encode("gbk").hex(),
        ),
        (
            "set-rectangles",
            {"areas": [{"id": 1, "north": 31.0, "west": 114.0, "south": 30.0, "east": 115.0}]},
            0x8602,
            "0101" + "00000001" + "0000" + point(31, 114) + point(30, 115),
            "0101" + "00000001" + "0000" + point(31, 114) + point(30, 115) + "0000",
        ),
        (
            "set-polygon",
            {"id": 2, "points": [[30, 114], [31, 114], [31, 115]], "speed_limit": 80},
            0x8604,
            "00000002" + "0002" + "00500a" + "0003" + point(30, 114) + point(31, 114) + point(31, 115),
            "00000002" + "0002" + "00500a" + "0003" + point(30, 114) + point(31, 114) + point(31, 115)
            + "0050" + "0000",
        ),
        (
            "set-route",
            {
                "id": 3,
                "points": [
                    {"latitude": 30, "longitude": 114, "width_m": 30, "longest_s": 600, "shortest_s": 60},
                    {"latitude": 31, "longitude": 114, "speed_limit": 60, "for_s": 3},
                ],
            },
            0x8606,
            "00000003" + "0000" + "0002"
            + "0000000100000001" + point(30, 114) + "1e01" + "0258003c"
            + "0000000200000002" + point(31, 114) + "3202" + "003c03",
            "00000003" + "0000" + "0002"
            + "0000000100000001" + point(30, 114) + "1e01" + "0258003c"
            + "0000000200000002" + point(31, 114) + "3202" + "003c03" + "003c"
            + "0000",
        ),
        ("delete-circles", {}, 0x8601, "00", "00"),
        ("delete-rectangles", {"ids": [1]}, 0x8603, "0100000001", "0100000001"),
        ("delete-polygons", {"ids": [1, 2]}, 0x8605, "020000000100000002", "020000000100000002"),
        ("delete-routes", {"ids": [9]}, 0x8607, "0100000009", "0100000009"),
    ],
)  # fmt: skip
def test_areas_are_written_as_the_tables_say(
    name: str, arguments: dict[str, Any], id: int, old: str, new: str
) -> None:
    assert build(name, arguments, NO_VERSION) == (id, bytes.fromhex(old), 0x0001)
    assert build(name, arguments, 1) == (id, bytes.fromhex(new), 0x0001)


def test_the_southern_and_western_halves_are_said_by_the_attributes() -> None:
    south = {**CIRCLE, "latitude": -30.59, "longitude": -114.3}
    assert build("set-circles", {"areas": [south]}, NO_VERSION)[1].hex()[12:16] == "00c0"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("set-circles", {}),
        ("set-circles", {"areas": []}),
        ("set-circles", {"areas": [{**CIRCLE, "latitude": 91}]}),
        ("set-circles", {"areas": [{**CIRCLE, "alarms": ["everybody"]}]}),
        ("set-circles", {"areas": [{**CIRCLE, "begin": "12:00:00"}]}),
        ("set-circles", {"areas": [CIRCLE], "mode": "paint"}),
        ("set-circles", {"areas": [{**CIRCLE, "begin": "25:00:00", "end": "26:00:00"}]}),
        ("set-rectangles", {"areas": [{"id": 1, "north": 30, "west": 114, "south": 31, "east": 115}]}),
        ("set-polygon", {"id": 1, "points": [[30, 114], [31, 114]]}),
        ("set-route", {"id": 1, "points": [{"latitude": 30, "longitude": 114}]}),
        ("delete-routes", {"ids": ["x"]}),
    ],
)
def test_what_is_no_area_is_refused(name: str, arguments: dict[str, Any]) -> None:
    with refused("command.arguments"):
        build(name, arguments, NO_VERSION)

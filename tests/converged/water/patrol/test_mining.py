"""Who digs where nobody may: stays, hours, gaps, passing ships."""

import numpy as np
import pytest
from tests.nodes import refused

from yunmeng.converged.water.patrol import Track, Zone, judge_tracks

MINUTE = 60_000_000
BOX = {
    "type": "Polygon",
    "coordinates": [[[114.0, 30.0], [114.1, 30.0], [114.1, 30.1], [114.0, 30.1], [114.0, 30.0]]],
}
FORBIDDEN = Zone("z1", "禁采区", "forbidden", BOX)
# 08:00 to 18:00 Beijing time
DAYTIME = Zone("z2", "可采区", "permitted", BOX, 8.0, 18.0)


def track(count: int, *, speed: float = 0.3, lon: float = 114.05, start: int = 0, every: int = 5) -> Track:
    times = start + np.arange(count, dtype=np.int64) * every * MINUTE
    return Track("ship", times, np.full(count, lon), np.full(count, 30.05), np.full(count, speed))


def test_a_ship_that_lies_in_a_forbidden_zone_is_found_and_one_that_passes_is_not() -> None:
    (found,) = judge_tracks([track(7)], [FORBIDDEN])
    assert (found.minutes, found.zone, found.longitude) == (30.0, "z1", 114.05)
    assert judge_tracks([track(7, speed=6.0)], [FORBIDDEN]) == []
    assert judge_tracks([track(7, lon=114.5)], [FORBIDDEN]) == []
    assert judge_tracks([track(4)], [FORBIDDEN]) == []


def test_a_permitted_zone_has_its_hours() -> None:
    # midnight UTC is 08:00 in Beijing
    assert judge_tracks([track(60)], [DAYTIME]) == []
    (found,) = judge_tracks([track(150)], [DAYTIME])
    assert found.begins == 10 * 60 * MINUTE
    night = Zone("z3", "", "permitted", BOX, 20.0, 6.0)
    assert len(judge_tracks([track(7)], [night])) == 1
    assert judge_tracks([track(7, start=13 * 60 * MINUTE)], [night]) == []


def test_silence_ends_a_stay_and_two_stays_are_two() -> None:
    early, late = track(6), track(6, start=4 * 60 * MINUTE)
    both = Track(
        "ship",
        *(
            np.concatenate([getattr(early, n), getattr(late, n)])
            for n in ("times", "longitudes", "latitudes", "speeds")
        ),
    )
    assert [found.minutes for found in judge_tracks([both], [FORBIDDEN])] == [25.0, 25.0]


def test_without_a_speed_the_way_between_positions_counts() -> None:
    still = track(7, speed=float("nan"))
    assert len(judge_tracks([still], [FORBIDDEN])) == 1
    moving = Track("ship", still.times, 114.0 + 0.012 * np.arange(7), still.latitudes, still.speeds)
    assert judge_tracks([moving], [FORBIDDEN]) == []


def test_a_zone_that_is_no_area_is_refused() -> None:
    with refused("water.zone"):
        judge_tracks([], [Zone("z", "", "forbidden", {"type": "Point", "coordinates": [1, 2]})])
    short = Track("s", np.zeros(2, np.int64), np.zeros(3), np.zeros(3), np.zeros(3))
    with refused("water.shape"):
        judge_tracks([short], [FORBIDDEN])


@pytest.mark.parametrize("count", [0, 1])
def test_short_tracks_are_no_stays(count: int) -> None:
    assert judge_tracks([track(count)], [FORBIDDEN]) == []

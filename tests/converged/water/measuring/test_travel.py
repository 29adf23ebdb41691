"""Travel times of readings: what is sent again or late says nothing of a clock."""

import numpy as np

from yunmeng.converged.water.measuring import Travels, judge_clocks

HOUR, MINUTE, SECOND = 3_600_000_000, 60_000_000, 1_000_000
START = 500_000 * HOUR


def judged(travels: Travels) -> dict[str, tuple[str, int]]:
    ids, lags = travels.take()
    return {id: (one.state, one.shift_h) for id, one in zip(ids, judge_clocks(lags), strict=True)}


def hourly(travels: Travels, hours: range, shift: int = 0, late: int = 20 * SECOND) -> None:
    """A station reports each hour, the parts of the hour in one frame; its clock is off by ``shift``."""
    for hour in hours:
        at = START + hour * HOUR
        parts = at - np.arange(12)[::-1] * 5 * MINUTE + shift
        travels.note(["A"], np.zeros(12, np.uint32), parts, at + late)


def test_a_station_that_writes_utc_is_found() -> None:
    travels = Travels()
    hourly(travels, range(5), shift=-8 * HOUR)
    assert judged(travels) == {}, "five bursts are too few"
    hourly(travels, range(5, 6), shift=-8 * HOUR)
    assert judged(travels) == {"A": ("shifted", 8)}
    assert judged(travels) == {}, "nothing was heard since"


def test_frames_sent_again_hours_later_leave_the_clock_right() -> None:
    travels = Travels()
    hourly(travels, range(10, 16))
    for minute in range(0, 60, 6):
        old = np.array([START + minute * HOUR // 10], np.int64)
        travels.note(["A"], np.zeros(1, np.uint32), old, START + 15 * HOUR + minute * MINUTE + 8 * MINUTE)
    hourly(travels, range(16, 17))
    assert judged(travels) == {"A": ("right", 0)}


def test_what_gathers_while_a_line_is_down_counts_once() -> None:
    travels = Travels()
    hourly(travels, range(6))
    for hour in range(6, 18):
        travels.note(
            ["A"], np.zeros(1, np.uint32), np.array([START + hour * HOUR]), START + 17 * HOUR + hour * SECOND
        )
    assert judged(travels) == {"A": ("right", 0)}


def test_a_clock_that_ran_ahead_and_was_set_is_right_again() -> None:
    travels = Travels()
    hourly(travels, range(6), shift=8 * HOUR)
    assert judged(travels) == {"A": ("shifted", -8)}
    hourly(travels, range(6, 12))
    assert judged(travels) == {"A": ("right", 0)}


def test_many_stations_and_no_more_than_may_be() -> None:
    travels = Travels(most=1000)
    names = [f"S{number}" for number in range(1200)]
    index = np.arange(1201, dtype=np.uint32)
    for hour in range(6):
        at = START + hour * HOUR
        shifts = np.where(index % 3 == 0, 8 * HOUR, 0)
        travels.note([*names, ""], index, at - shifts, at + 5 * SECOND)
    found = judged(travels)
    assert len(found) == 1000
    assert found["S0"] == ("shifted", 8)
    assert found["S1"] == ("right", 0)

from datetime import UTC, date, datetime

import pytest

from yunmeng.converged.water.register import Season, flood_limits
from yunmeng.kernel.base import BadInput

FLOOD, DRY = Season("汛期", "05-01", "09-30", 100.0), Season("枯期", "10-01", "04-30", 110.0)


def test_a_season_that_crosses_the_new_year():
    limits = flood_limits([FLOOD, DRY])
    days = [date(2026, 12, 31), date(2027, 1, 1), date(2027, 4, 30), date(2027, 5, 1), date(2028, 2, 29)]
    assert limits.at(days).tolist() == [110.0, 110.0, 110.0, 100.0, 110.0]
    assert limits.season_at(days[2:4]) == ("枯期", "汛期")


def test_an_instant_counts_by_its_date_in_beijing():
    limits = flood_limits([FLOOD, DRY])
    assert limits.at(
        [datetime(2026, 4, 30, 16, tzinfo=UTC), datetime(2026, 4, 30, 15, tzinfo=UTC)]
    ).tolist() == [
        100.0,
        110.0,
    ]


def test_falling_is_done_before_the_season_and_rising_begins_with_it():
    limits = flood_limits([FLOOD, DRY], transition_days=10)
    falling = [date(2026, 4, 20), date(2026, 4, 21), date(2026, 4, 26), date(2026, 5, 1)]
    assert limits.at(falling).tolist() == pytest.approx([110.0, 110.0, 105.0, 100.0])
    rising = [date(2026, 9, 30), date(2026, 10, 1), date(2026, 10, 6), date(2026, 10, 11)]
    assert limits.at(rising).tolist() == pytest.approx([100.0, 100.0, 105.0, 110.0])


def test_days_outside_the_seasons():
    assert flood_limits([FLOOD], outside=112.0).at([date(2026, 1, 1)]).tolist() == [112.0]
    with pytest.raises(BadInput) as caught:
        flood_limits([FLOOD], name="甲")
    assert (caught.value.key, caught.value.facts["day"], caught.value.facts["days"]) == (
        "limit.gap",
        "01-01",
        213,
    )


@pytest.mark.parametrize(
    ("seasons", "days", "key"),
    [
        ([FLOOD, Season("早", "04-01", "05-01", 1.0)], 0, "limit.overlap"),
        ([Season("坏", "02-30", "05-01", 1.0)], 0, "limit.day"),
        ([FLOOD, DRY], 200, "limit.transition"),
    ],
)
def test_bad_seasons(seasons, days, key):
    with pytest.raises(BadInput) as caught:
        flood_limits(seasons, outside=1.0, transition_days=days)
    assert caught.value.key == key

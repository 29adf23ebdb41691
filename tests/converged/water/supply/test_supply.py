"""Permits against meters, ecological flow, statistics."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from tests.nodes import refused

from yunmeng.converged.water.supply import Permit, balance, check_permits, guarantee, use_by

PERMIT = Permit(
    "D420106S2021-0001",
    "水厂",
    "420106",
    "D46",
    "surface",
    1000.0,
    date(2021, 1, 1),
    date(2026, 12, 31),
    900.0,
)
UNTIL = date(2026, 4, 10)  # the hundredth day


def daily(volume: float | None, days: int = 100) -> dict[date, float | None]:
    return {date(2026, 1, 1) + timedelta(day): volume for day in range(days)}


@pytest.mark.parametrize(
    ("volume", "verdict"), [(2.0, "within"), (3.0, "near"), (8.5, "near"), (9.1, "over"), (10.1, "over")]
)
def test_a_holder_is_weighed_against_plan_and_quota(volume: float, verdict: str) -> None:
    found = balance(PERMIT, "", daily(volume), UNTIL)
    assert found.taken == pytest.approx(100 * volume)
    assert found.share == pytest.approx(volume / 9)
    assert found.projected == pytest.approx(volume * 365)
    assert found.verdict == verdict


def test_days_without_a_reading_are_no_zeros() -> None:
    found = balance(PERMIT, "", {**daily(2.0), **daily(None, 50)}, UNTIL)
    assert (found.taken, found.missing) == (100.0, 50)
    assert found.projected == pytest.approx(730.0)
    assert balance(PERMIT, "", daily(None), UNTIL).verdict == "unmetered"


def test_taking_without_a_valid_permit_is_said() -> None:
    for permit in (None, replace(PERMIT, state="revoked"), replace(PERMIT, valid_to=date(2026, 4, 9))):
        assert balance(permit, "intake 7", daily(1.0), UNTIL).verdict == "unpermitted"


def test_a_negative_volume_is_refused_by_its_day() -> None:
    with refused("water.negative") as caught:
        balance(PERMIT, "", {date(2026, 2, 3): -1.0}, UNTIL)
    assert caught.value.facts["at"] == "2026-02-03"


@pytest.mark.parametrize(
    ("permits", "reason"),
    [
        ([PERMIT, PERMIT], "twice"),
        ([replace(PERMIT, quota=0.0)], "quota"),
        ([replace(PERMIT, planned=1001.0)], "planned"),
        ([replace(PERMIT, valid_to=date(2020, 1, 1))], "2020"),
    ],
)
def test_a_ledger_is_taken_whole_or_refused(permits: list[Permit], reason: str) -> None:
    with refused("water.permit") as caught:
        check_permits(permits)
    assert reason in str(caught.value.facts["reason"])


def test_use_is_summed_by_division_industry_and_source() -> None:
    permits = [
        PERMIT,
        replace(PERMIT, code="2", division="420102", industry="C30", source="groundwater"),
        replace(PERMIT, code="3", division="420500"),
        replace(PERMIT, code="4", division="429004"),
    ]
    rows = [
        (permit, balance(permit, "", daily(5.0 + place * 3), UNTIL)) for place, permit in enumerate(permits)
    ]
    by_division = {use.group: use for use in use_by(rows, "division")}
    assert set(by_division) == {"420100", "420500", "429004"}
    assert by_division["420100"].taken == pytest.approx(1300.0)
    assert by_division["420500"].over == 1
    assert [use.group for use in use_by(rows, "division", below="420100")] == ["420102", "420106"]
    assert {use.group: use.permits for use in use_by(rows, "industry")} == {"D46": 3, "C30": 1}
    assert use_by(rows, "source")[0].share == pytest.approx((500 + 1100 + 1400) / 3000)


def test_the_ecological_flow_is_judged_where_there_is_a_reading() -> None:
    flows = np.array([5.0, 3.0, np.nan, 2.0, 2.0, 6.0])
    found = guarantee(flows, 4.0, 3600.0)
    assert found.rate == pytest.approx(2 / 5)
    assert (found.judged, found.missing, found.longest) == (5, 1, 2)
    assert found.deficit == pytest.approx((1 + 2 + 2) * 3600)
    assert found.lowest == 2.0
    assert np.isnan(guarantee(np.array([np.nan]), 4.0, 1.0).rate)
    with refused("water.negative"):
        guarantee(np.array([-1.0]), 4.0, 1.0)

"""What several gateways say of one station becomes one series."""

from yunmeng.converged.water.reading import _series  # pyright: ignore[reportPrivateUsage]
from yunmeng.kernel.store import Point


def said(gateway: str, at: int, value: float) -> Point:
    return Point("station", "level", "", at, value, gateway=gateway)


def test_gateways_that_agree_and_disagree_make_one_series() -> None:
    points = [said("sl651", 1, 10.0), said("mqtt", 1, 10.01), said("sl651", 2, 10.2), said("mqtt", 3, 10.4)]
    series = _series([*points, said("sl651", 4, 10.5), said("mqtt", 4, 12.9)], "level")["station"]
    assert series.times.tolist() == [1, 2, 3, 4]
    assert series.values.tolist() == [10.0, 10.2, 10.4, 10.5]
    assert series.conflicts == 1

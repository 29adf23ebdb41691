"""Series as even hours, read for many stations at once."""

import numpy as np
import pytest
from tests.kernel.serve.conftest import NODE, Node

from yunmeng.converged.water import reading
from yunmeng.converged.water.jobs.hours import HOUR_US, areal_rain, gauge_rain, hourly_means
from yunmeng.converged.water.reading import Reader
from yunmeng.kernel.base import now_us
from yunmeng.kernel.link import obs_subject
from yunmeng.kernel.model import Row, Series, encode_batch, make_batch
from yunmeng.kernel.trust import Reach

START = now_us() // HOUR_US * HOUR_US - 6 * HOUR_US
STATION = "https://w3id.org/yunmeng/HydrologicalStation"


async def measure(node: Node, station: str, attribute: str, *values: float, minutes: int = 60) -> None:
    row = node.services.types.attribute(attribute)
    assert row is not None
    series = Series(station, row.uri, STATION, "420100", row.unit)
    rows = [
        Row(series, START + (number + 1) * minutes * 60_000_000, value) for number, value in enumerate(values)
    ]
    batch = make_batch(rows, gateway="test", received_at=now_us())
    await node.bus.publish(obs_subject("", "test"), encode_batch(batch), NODE)
    await node.flush()


def reader_of(node: Node) -> Reader:
    return Reader(node.services.state, node.services.history, Reach(), node.services.types)


async def test_a_station_that_says_too_much_counts_as_silent_and_costs_no_other_its_place(
    water: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"urn:ngsi-ld:HydrologicalStation:h{number}" for number in range(3)]
    await measure(water, ids[0], "rainfall1h", 2.0, 4.0, 0.0, 0.0, 6.0, 0.0)
    await measure(water, ids[1], "rainfall1h", *([0.1] * 30), minutes=10)
    await measure(water, ids[2], "rainfall1h", 4.0, 8.0, 0.0, 0.0, 0.0, 2.0)
    monkeypatch.setattr(reading, "_MOST_POINTS", 20)
    gauges = await gauge_rain(reader_of(water), [*ids, ids[0]], START, 6)
    assert list(gauges) == [ids[0], ids[2]]
    rain, filled = areal_rain(gauges, dict.fromkeys(ids, 1.0), START)
    assert rain == pytest.approx([3.0, 6.0, 0.0, 0.0, 3.0, 1.0])
    assert filled == 0
    weighted, _ = areal_rain(gauges, {ids[0]: 3.0, ids[2]: 1.0}, START)
    assert weighted == pytest.approx([2.5, 5.0, 0.0, 0.0, 4.5, 0.5])


async def test_means_of_many_are_read_together(water: Node) -> None:
    ids = [f"urn:ngsi-ld:Reservoir:m{number}" for number in range(2)]
    await measure(water, ids[0], "inflow", 10.0, 20.0, 30.0, 40.0, minutes=30)
    means = await hourly_means(reader_of(water), ids, "inflow", START, 3)
    assert list(means) == [ids[0]]
    # an hour holds what was said after its beginning, up to its end
    assert means[ids[0]] == pytest.approx([15.0, 35.0, np.nan], nan_ok=True)

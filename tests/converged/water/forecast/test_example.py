"""The example runs without a node, and says what a forecaster wants to know."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]


def test_the_example_forecasts_a_flood_without_a_node():
    done = subprocess.run(
        [sys.executable, ROOT / "examples/water_forecast.py"], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    # a search does not end at the same digit on every processor: the figures are looked at, not the text
    assert float(re.search(r"NSE (\S+),", lines[0])[1]) > 0.9
    assert "GB/T 22482-2008" in lines[1]
    low, middle, high = ([float(word) for word in line.split()[2:-1]] for line in lines[2:5])
    assert len(middle) == 10
    assert all(a <= b <= c for a, b, c in zip(low, middle, high, strict=True))
    chances = [int(word.strip("%")) for word in lines[5].split(":")[1].split()]
    assert max(chances) > 2
    assert min(chances) == 0
    assert float(lines[6].split()[-2]) > max(middle)

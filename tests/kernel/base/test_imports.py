import subprocess
import sys

import pytest

CHEAP = """
import sys, time
before = set(sys.modules)
start = time.process_time()
import {module}
print(time.process_time() - start)
print(*sorted(set(sys.modules) - before))
"""
HEAVY = {"numpy", "msgspec", "apsw", "httpx", "shapely", "importlib.metadata", "difflib", "csv", "asyncio"}


@pytest.mark.parametrize("module", ["yunmeng", "yunmeng.kernel.base"])
def test_importing_is_cheap(module):
    code = CHEAP.format(module=module)
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(3)
    ]
    elapsed = min(float(run.stdout.splitlines()[0]) for run in runs)
    assert elapsed < 0.3
    assert set(runs[0].stdout.splitlines()[1].split()) & HEAVY == set()

"""How long a start takes and what an idle node holds: import, ``yunmeng up`` until ready, memory.

Bytecode is kept in a folder of the run, as an installed package has it beside the source: the first start
fills it, the second one counts.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from benchmarks.figures import Figure, pss_mb

_IDLE_S = 30.0
_YUNMENG = (sys.executable, "-c", "from yunmeng.node.cli import main; main()")


def environment(bytecode: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(bytecode)}


def import_s(env: dict[str, str]) -> float:
    """Seconds of ``python -c 'import yunmeng'``, the interpreter's own start with it; the best of five."""
    return min(_timed("import yunmeng", env) for _ in range(5))


def _timed(code: str, env: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], env=env, check=True)
    return time.perf_counter() - began


@contextmanager
def node(folder: Path, env: dict[str, str]) -> Iterator[tuple[int, float]]:
    """Runs a node; gives its pid and how many seconds it took until it was ready."""
    port = _free_port()
    command = (*_YUNMENG, "up", "--data", str(folder), "--set", f"http.port={port}")
    began = time.perf_counter()
    with (folder.with_suffix(".screen")).open("w") as screen:
        process = subprocess.Popen(command, env=env, stdout=screen, stderr=screen)
    try:
        while not _ready(port):
            if process.poll() is not None:
                raise RuntimeError(folder.with_suffix(".screen").read_text())
            time.sleep(0.02)
        yield process.pid, time.perf_counter() - began
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/ready", trust_env=False, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def memory_mb(pid: int) -> dict[str, float]:
    """Memory of a process and of all below it in MB, by what each of them is."""
    found: dict[str, float] = {}
    parent = psutil.Process(pid)
    for process in (parent, *parent.children(recursive=True)):
        name = _role(process)
        found[name] = round(found.get(name, 0.0) + pss_mb(process.pid), 1)
    return found


def _role(process: psutil.Process) -> str:
    words = process.cmdline()
    for name in ("nats-server", "chdb_server"):
        if any(name in word for word in words[:4]):
            return {"nats-server": "bus", "chdb_server": "history"}[name]
    return words[words.index("yunmeng.node.roles") + 1] if "yunmeng.node.roles" in words else "supervisor"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run() -> list[Figure]:
    """Measures the second start, and the memory half a minute after it."""
    with tempfile.TemporaryDirectory() as name:
        env = environment(Path(name) / "bytecode")
        imported = import_s(env)
        with node(Path(name) / "node", env) as (_, first_s):
            pass
        with node(Path(name) / "node", env) as (pid, ready_s):
            time.sleep(_IDLE_S)
            memory = memory_mb(pid)
    return [
        Figure("start.import", imported, "s"),
        Figure("start.ready", ready_s, "s", {"without bytecode, s": round(first_s, 2)}),
        Figure("start.memory", sum(memory.values()), "MB", memory),
    ]


if __name__ == "__main__":
    for figure in run():
        print(figure)

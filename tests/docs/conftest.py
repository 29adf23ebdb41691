"""The pages, the script that builds them, and a demo node to run their examples against."""

import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLI = (sys.executable, "-c", "from yunmeng.node.cli import main; main()")


def load_build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_build", ROOT / "docs" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def build() -> ModuleType:
    return load_build()


@pytest.fixture(scope="session")
def pages() -> dict[Path, str]:
    """Every page, written or generated, by its path."""
    files = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return {file: file.read_text(encoding="utf-8") for file in sorted(files)}


@pytest.fixture(scope="session")
def blocks(pages: dict[Path, str]) -> list[tuple[Path, str, str]]:
    """Every fenced code block: page, language, text."""
    fence = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [(file, lang, body) for file, text in pages.items() for lang, body in fence.findall(text)]


@dataclass
class DemoNode:
    """A running demo; ``run`` runs the command line, ``example`` a file, both beside it."""

    data: Path
    url: str
    process: "subprocess.Popen[bytes] | None" = None

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "YUNMENG_URL": self.url,
            "YUNMENG_DATA": str(self.data),
            "NO_PROXY": "127.0.0.1",
            "LANG": "en_GB.UTF-8",
            "PYTHONIOENCODING": "utf-8",
        }

    def run(self, *arguments: str) -> str:
        return self._output([*CLI, *arguments])

    def example(self, name: str, **more: str) -> str:
        return self._output([sys.executable, str(ROOT / "examples" / name)], **more)

    def _output(self, command: list[str], **more: str) -> str:
        done = subprocess.run(
            command,
            env={**self.environment, **more},
            cwd=self.data.parent,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextmanager
def demo_node(data: Path, *more: str, command: str = "demo") -> Iterator[DemoNode]:
    """A node that the command starts, with more settings; it stops at the end."""
    port = free_port()
    node = DemoNode(data, f"http://127.0.0.1:{port}")
    settings = [f"--set={one}" for one in (f"http.port={port}", "demo.rate=20", "http.workers=1", *more)]
    log = data.with_suffix(".out")
    with log.open("wb") as out:
        node.process = subprocess.Popen(
            [*CLI, command, "--data", str(data), *settings],
            env=node.environment,
            cwd=data.parent,
            stdout=out,
            stderr=out,
        )
    try:
        wait_for(lambda: started(node.process, log), 120, lambda: log.read_text(encoding="utf-8"))
        yield node
    finally:
        node.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def started(process: "subprocess.Popen[bytes]", log: Path) -> bool:
    said = log.read_text(encoding="utf-8")
    assert process.poll() is None, said
    return "Ctrl-C" in said


def wait_for(true: Callable[[], bool], seconds: float, why: Callable[[], object]) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, why()
        time.sleep(0.2)

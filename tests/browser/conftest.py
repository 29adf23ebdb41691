"""The real demo on a free port, and a browser that may go nowhere else."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := which(name))), ""
)
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
_PASSWORD = re.compile(r"password (\S+)")


@dataclass
class Demo:
    """A running demo."""

    url: str
    password: str


@dataclass
class Watched:
    """A page, and all that should not have happened on it."""

    page: Page
    demo: Demo
    complaints: list[str] = field(default_factory=list[str])

    async def sign_in(self, name: str = "admin") -> None:
        await self.page.goto(self.demo.url)
        await self.page.fill("#name", name)
        await self.page.fill("#password", self.demo.password)
        await self.page.click("button[type=submit]")
        await self.page.wait_for_selector(".head")

    async def go(self, place: str) -> None:
        await self.page.goto(f"{self.demo.url}/#/{place}")

    async def until(self, script: str, seconds: float = 45) -> Any:
        """Waits until a script gives something true; ``wait_for_function`` needs eval, which is forbidden."""
        async with asyncio.timeout(seconds):
            while not (found := await self.page.evaluate(script)):
                await asyncio.sleep(0.1)
            return found

    async def map_idle(self) -> None:
        await self.until("document.querySelector('.map')?.dataset.idle === 'true'", 90)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    if not CHROMIUM:
        pytest.skip("Chromium is not installed")
    folder = tmp_path_factory.mktemp("demo")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    said = folder / "said.txt"
    command = [sys.executable, "-c", "from yunmeng.node.cli import main; main()", "demo"]
    command += ["--data", str(folder / "data"), "--set", f"http.port={port}"]
    with said.open("w") as out:
        node = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=_environment(), cwd=folder)
    try:
        yield Demo(f"http://127.0.0.1:{port}", _password(node, said, f"http://127.0.0.1:{port}"))
    finally:
        node.send_signal(signal.SIGINT)
        try:
            node.wait(30)
        except subprocess.TimeoutExpired:
            node.kill()
            node.wait(10)


def _environment() -> dict[str, str]:
    source = str(Path(__file__).parents[2] / "src")
    return {**os.environ, "PYTHONPATH": source, "COLUMNS": "120", "NO_COLOR": "1"}


def _password(node: subprocess.Popen[bytes], said: Path, url: str) -> str:
    """Waits until the node is ready and has said the password of its users."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert node.poll() is None, said.read_text()
        found = _PASSWORD.search(said.read_text())
        if found and _answers(url):
            return found[1]
        time.sleep(0.2)
    raise TimeoutError(said.read_text())


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(demo: Demo) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        made = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield made
        await made.close()


@pytest_asyncio.fixture(loop_scope="session")
async def console(browser: Browser, demo: Demo) -> AsyncIterator[Watched]:
    """A fresh page; whatever it complained of, or asked of another host, fails the test."""
    context = await browser.new_context(viewport={"width": 1366, "height": 768}, locale="zh-CN")
    watched = Watched(await context.new_page(), demo)
    complaints = watched.complaints
    watched.page.on("console", lambda one: complaints.append(one.text) if one.type == "error" else None)
    watched.page.on("pageerror", lambda one: complaints.append(str(one)))
    watched.page.on("request", lambda one: complaints.append(one.url) if _leaves(one.url, demo) else None)
    yield watched
    await context.close()
    assert complaints == []


def _leaves(url: str, demo: Demo) -> bool:
    return not url.startswith((demo.url + "/", "data:", f"blob:{demo.url}/"))

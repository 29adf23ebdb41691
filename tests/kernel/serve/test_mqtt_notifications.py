"""Notifications over MQTT (ETSI GS CIM 009 §7.2), through a real mosquitto."""

import asyncio
import gc
import json
import os
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.nodes import free_port

from yunmeng.kernel.serve.http_courier import trusted

from .conftest import until
from .test_http_courier import self_signed
from .test_subscriptions import SUBSCRIPTIONS, notifying, station, subscription

aiomqtt = pytest.importorskip("aiomqtt", reason="yunmeng[mqtt] is not installed")
MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/opt/homebrew/sbin")
pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")


@asynccontextmanager
async def mosquitto(folder: Path, *lines: str, port: int = 0) -> AsyncIterator[int]:
    port = port or free_port()
    config = folder / "mosquitto.conf"
    # started by root it would become a user that may not read our files
    user = ("user root",) if os.geteuid() == 0 else ()
    config.write_text("\n".join((*user, f"listener {port} 127.0.0.1", *(lines or ("allow_anonymous true",)))))
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        str(MOSQUITTO), "-c", str(config), stdout=quiet, stderr=quiet
    )
    try:
        await until(lambda: _listens(port))
        yield port
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@asynccontextmanager
async def reading(port: int, **access: Any) -> AsyncIterator[list[tuple[str, int, dict[str, Any]]]]:
    got: list[tuple[str, int, dict[str, Any]]] = []
    async with aiomqtt.Client("127.0.0.1", port, **access) as client:
        await client.subscribe("#", qos=2)

        async def read() -> None:
            async for one in client.messages:
                got.append((str(one.topic), one.qos, json.loads(one.payload)))  # noqa: PERF401

        task = asyncio.create_task(read())
        try:
            yield got
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def endpoint(uri: str, media: str = "application/json", **info: str) -> dict[str, Any]:
    notifier = [{"key": key.replace("_", "-"), "value": value} for key, value in info.items()]
    chosen = {"notifierInfo": notifier} if notifier else {}
    return {"endpoint": {"uri": uri, "accept": media, **chosen}}


async def subscribe(node: Any, notification: dict[str, Any]) -> str:
    made = await node.admin.post(SUBSCRIPTIONS, json=subscription("", notification=notification))
    assert made.status_code == 201, made.text
    return made.headers["location"]


async def test_a_notification_comes_with_its_metadata(node: Any, tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as port, reading(port) as got, notifying(node):
        notification = endpoint(f"mqtt://127.0.0.1:{port}/water/level")
        notification["endpoint"]["receiverInfo"] = [{"key": "X-Key", "value": "secret"}]
        await subscribe(node, notification)
        await station(node, 1, 5)
        await until(lambda: bool(got))
        topic, qos, message = got[0]
        assert (topic, qos) == ("water/level", 0)
        assert message["metadata"]["Content-Type"] == "application/json"
        assert "json-ld#context" in message["metadata"]["Link"]
        assert message["metadata"]["X-Key"] == "secret"
        assert message["body"]["type"] == "Notification"
        assert message["body"]["data"][0]["level"]["value"] == 5


@pytest.mark.parametrize("version", ["mqtt3.1.1", "mqtt5.0"])
@pytest.mark.parametrize("qos", ["0", "1", "2"])
async def test_every_version_and_quality(node: Any, tmp_path: Path, version: str, qos: str) -> None:
    async with mosquitto(tmp_path) as port, reading(port) as got, notifying(node):
        uri = f"mqtt://127.0.0.1:{port}/t"
        await subscribe(node, endpoint(uri, "application/ld+json", MQTT_Version=version, MQTT_QoS=qos))
        await station(node, 1, 5)
        await until(lambda: bool(got))
        assert got[0][1] == int(qos)
        assert "Link" not in got[0][2]["metadata"]
        assert "@context" in got[0][2]["body"]["data"][0]


async def test_who_logs_on_is_in_the_address(node: Any, tmp_path: Path) -> None:
    words = tmp_path / "words"
    maker = await asyncio.create_subprocess_exec(
        *("mosquitto_passwd", "-b", "-c", str(words), "user", "p@ss"), stderr=asyncio.subprocess.DEVNULL
    )
    assert await maker.wait() == 0
    words.chmod(0o644)
    closed = ("allow_anonymous false", f"password_file {words}")
    access = {"username": "user", "password": "p@ss"}
    async with mosquitto(tmp_path, *closed) as port, reading(port, **access) as got, notifying(node):
        refused = await subscribe(node, endpoint(f"mqtt://user:wrong@127.0.0.1:{port}/no"))
        await subscribe(node, endpoint(f"mqtt://user:p%40ss@127.0.0.1:{port}/yes"))
        await station(node, 1, 5)
        await until(lambda: bool(got))
        assert got[0][0] == "yes"
        async with asyncio.timeout(5):
            while (await _fares(node, refused)).get("status") != "failed":
                await asyncio.sleep(0.02)


async def _fares(node: Any, address: str) -> dict[str, Any]:
    return (await node.admin.get(address)).json()["notification"]


async def test_what_a_server_missed_comes_when_it_is_back(node: Any, tmp_path: Path) -> None:
    async with notifying(node):
        async with mosquitto(tmp_path) as port, reading(port) as got:
            address = await subscribe(node, endpoint(f"mqtt://127.0.0.1:{port}/t", MQTT_QoS="1"))
            await station(node, 1, 1)
            await until(lambda: len(got) == 1)
        await station(node, 1, 2)
        async with asyncio.timeout(5):
            while (await _fares(node, address)).get("timesFailed") != 1:
                await asyncio.sleep(0.02)
        async with mosquitto(tmp_path, port=port), reading(port) as later:
            await until(lambda: bool(later), 10)
            assert later[0][2]["body"]["data"][0]["level"]["value"] == 2
            async with asyncio.timeout(5):
                while (await _fares(node, address))["status"] != "ok":
                    await asyncio.sleep(0.02)


# the library leaves the socket of a failed handshake to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_mqtts_wants_a_certificate_that_can_be_trusted(node: Any, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    secure = ("allow_anonymous true", f"certfile {certificate}", f"keyfile {key}")
    async with mosquitto(tmp_path, *secure) as port, notifying(node):
        context = ssl.create_default_context(cafile=str(certificate))
        context.check_hostname = False
        async with reading(port, tls_context=context) as got:
            address = await subscribe(node, endpoint(f"mqtts://127.0.0.1:{port}/t"))
            await station(node, 1, 5)
            async with asyncio.timeout(8):
                while (await _fares(node, address)).get("status") != "failed":
                    await asyncio.sleep(0.02)
            assert not got
    gc.collect()


async def test_mqtts_publishes_where_the_certificate_is_trusted(
    node: Any, tmp_path: Path, monkeypatch
) -> None:
    certificate, key = self_signed(tmp_path)
    secure = ("allow_anonymous true", f"certfile {certificate}", f"keyfile {key}")
    trusted.cache_clear()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    try:
        context = ssl.create_default_context(cafile=str(certificate))
        context.check_hostname = False
        async with (
            mosquitto(tmp_path, *secure) as port,
            reading(port, tls_context=context) as got,
            notifying(node),
        ):
            await subscribe(node, endpoint(f"mqtts://localhost:{port}/t"))
            await station(node, 1, 5)
            await until(lambda: bool(got))
    finally:
        trusted.cache_clear()

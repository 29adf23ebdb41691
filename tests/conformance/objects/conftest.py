import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from yunmeng.kernel.store import Objects
from yunmeng.kernel.store.objects.folder import FolderObjects
from yunmeng.kernel.store.objects.s3 import S3Objects


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """A server that others wrote: moto speaks S3 on this machine."""
    pytest.importorskip("moto.server", reason="moto[server] is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, child)
        yield url
    finally:
        child.terminate()
        child.wait(10)


def _wait(url: str, child: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert child.poll() is None, "the S3 server ended"
        try:
            httpx.get(url, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("the S3 server does not answer")


@pytest.fixture(params=["folder", "s3"])
async def objects(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Objects]:
    if request.param == "folder":
        store: Objects = FolderObjects(tmp_path)
    else:
        url, bucket = request.getfixturevalue("s3_url"), f"b{uuid.uuid4().hex}"
        async with httpx.AsyncClient(trust_env=False) as client:
            (await client.put(f"{url}/{bucket}")).raise_for_status()
        store = S3Objects(bucket, endpoint=url, access_key="test", secret_key="test", prefix="node")
    yield store
    await store.close()

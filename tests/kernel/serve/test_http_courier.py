"""The client that posts notifications, against receivers of every manner (RFC 9112)."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from yunmeng.kernel.serve.http_courier import HttpCourier, target, trusted


@dataclass
class Script:
    """A server that plays answers in turn, split into pieces; ``None`` hangs up."""

    answers: Sequence[Sequence[bytes] | None]
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().rpartition(b"content-length: ")[2])
                self.bodies.append(await reader.readexactly(length))
                answer = self.answers[len(self.heads)]
                self.heads.append(head)
                if answer is None:
                    return
                for piece in answer:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.01)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def playing(
    *answers: Sequence[bytes] | None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Script]:
    script = Script(answers)
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0, ssl=tls)
    script.port = server.sockets[0].getsockname()[1]
    try:
        yield script
    finally:
        server.close()


@asynccontextmanager
async def posting() -> AsyncIterator[HttpCourier]:
    courier = HttpCourier()
    try:
        yield courier
    finally:
        await courier.close()


OK = (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",)
ODD = [
    (b"HTTP/1.1 204 No Content\r\n\r\n",),
    (b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 5\r\n\r\nhe", b"llo"),
    (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n"),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"1",
        b"0;x=y\r\n0\r\n\r\n00000000000\r\n0\r\n\r\n",
    ),
    (b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n", b"\r\n"),
]


@pytest.mark.parametrize("answer", ODD)
async def test_a_connection_serves_again_after_any_answer(answer: Sequence[bytes]) -> None:
    async with playing(answer, OK) as script, posting() as courier:
        to = target(f"http://127.0.0.1:{script.port}/", {})
        assert await courier.post(to, b"one", 2) == ""
        assert await courier.post(to, b"two", 2) == ""
        assert (script.connections, script.bodies) == (1, [b"one", b"two"])


@pytest.mark.parametrize(
    "answer",
    [
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end",),
    ],
)
async def test_a_connection_that_ends_is_not_used_again(answer: Sequence[bytes]) -> None:
    async with playing(answer, OK) as script, posting() as courier:
        to = target(f"http://127.0.0.1:{script.port}/", {})
        assert await courier.post(to, b"one", 2) == ""
        assert await courier.post(to, b"two", 2) == ""
        assert script.connections == 2


async def test_a_connection_that_went_stale_is_no_failure() -> None:
    async with playing(OK, None, OK) as script, posting() as courier:
        to = target(f"http://127.0.0.1:{script.port}/", {})
        assert await courier.post(to, b"one", 2) == ""
        assert await courier.post(to, b"two", 2) == ""
        assert script.bodies == [b"one", b"two", b"two"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",), "HTTP 503"),
        ((b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",), "HTTP 302"),
        ((b"SSH-2.0-OpenSSH\r\n\r\n",), "closed"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nmore than one",), "closed"),
        ((b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,), "closed"),
        (None, "closed"),
        ((), "no answer in 0.2 s"),
    ],
)
async def test_failures_have_a_reason(answer: Sequence[bytes] | None, reason: str) -> None:
    async with playing(answer) as script, posting() as courier:
        assert reason in await courier.post(target(f"http://127.0.0.1:{script.port}/", {}), b"x", 0.2)


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1/", f"http://{'x' * 64}.invalid/"])
async def test_what_cannot_be_reached_has_a_reason(uri: str) -> None:
    async with posting() as courier:
        assert await courier.post(target(uri, {}), b"x", 2)


async def test_a_request_says_what_the_address_says() -> None:
    async with playing(OK) as script, posting() as courier:
        uri = f"http://me:p%40ss@127.0.0.1:{script.port}/a b?c=d e"
        await courier.post(target(uri, {"X-Odd": "one\r\nX-Evil: two"}), b"x", 2)
        lines = script.heads[0].decode().split("\r\n")
        assert lines[0] == "POST /a%20b?c=d%20e HTTP/1.1"
        assert f"Host: 127.0.0.1:{script.port}" in lines
        assert "Authorization: Basic bWU6cEBzcw==" in lines
        assert "X-Odd: one X-Evil: two" in lines


def self_signed(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .add_extension(names, critical=False)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "server.crt", folder / "server.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    private.chmod(0o644)
    return certificate, private


async def test_https_wants_a_certificate_that_can_be_trusted(tmp_path: Path, monkeypatch) -> None:
    certificate, key = self_signed(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    async with playing(OK, tls=context) as script, posting() as courier:
        to = target(f"https://localhost:{script.port}/", {})
        assert "CERTIFICATE_VERIFY_FAILED" in await courier.post(to, b"x", 2)
        trusted.cache_clear()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        try:
            assert await courier.post(to, b"x", 2) == ""
        finally:
            trusted.cache_clear()

"""The lean HTTP client against a server that says what it is told to (RFC 9112)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from yunmeng.kernel.base.http import HttpClient, HttpTrouble, TooLong
from yunmeng.kernel.base.http.connection import HttpConnection

FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-One: a\r\nx-one: b\r\n\r\nok"


@dataclass
class Server:
    """Says one answer a request, in pieces; after an empty piece it closes the connection."""

    answers: list[Sequence[bytes]] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                for piece in self.answers.pop(0):
                    if not piece:
                        return
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def listening(*answers: Sequence[bytes]) -> AsyncIterator[tuple[Server, HttpClient]]:
    server = Server(list(answers))
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    client = HttpClient()
    try:
        yield server, client
    finally:
        client.close()
        listener.close()


async def test_a_connection_is_kept_and_serves_the_next_request() -> None:
    async with listening([FINE], [FINE]) as (server, client):
        first = await client.ask("GET", f"{server.url}/a?b=%20c", {"Accept": "x"})
        second = await client.ask("POST", f"{server.url}/", {}, b"{}")
    assert (first.status, first.body, first.headers["x-one"]) == (200, b"ok", "a, b")
    assert (second.body, server.connections) == (b"ok", 1)
    assert server.requests[0].startswith(b"GET /a?b=%20c HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nAccept: x\r\n" in server.requests[0]
    assert b"\r\nContent-Length: 2\r\n" in server.requests[1]


@pytest.mark.parametrize(
    ("answer", "body", "connections"),
    [
        ([FINE[:9], FINE[9:40], FINE[40:]], b"ok", 1),
        ([b"HTTP/1.1 100 Continue\r\n\r\n" + FINE], b"ok", 1),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], b"", 1),
        (
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\no", b"k\r\n0\r\nT: t\r\n\r\n"],
            b"ok",
            1,
        ),
        (
            [
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r",
                b"\nk\r",
                b"\n0\r\n",
                b"\r\n",
            ],
            b"ok",
            1,
        ),
        ([b"HTTP/1.1 200 OK\r\n\r\no", b"k", b""], b"ok", 2),
        ([b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"], b"ok", 2),
        ([b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"], b"ok", 2),
        # what nobody asked for puts the connection out of step
        ([FINE + b"more"], b"ok", 2),
    ],
)
async def test_each_way_to_end_an_answer(answer: list[bytes], body: bytes, connections: int) -> None:
    async with listening(answer, [FINE]) as (server, client):
        assert (await client.ask("GET", server.url, {})).body == body
        assert (await client.ask("GET", server.url, {})).body == b"ok"
        assert server.connections == connections


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        ([b"SSH-2.0-OpenSSH\r\n\r\n"], HttpTrouble),
        ([b"HTTP/1.1 abc\r\n\r\n"], HttpTrouble),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"], HttpTrouble),
        ([b"HTTP/1.1 200 OK\r\n no: way\r\n\r\n"], HttpTrouble),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", b""], HttpTrouble),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"], HttpTrouble),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n"], TooLong),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n"], TooLong),
        ([b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 101], TooLong),
        ([b"x" * 70_000], TooLong),
    ],
)
async def test_what_is_no_answer_is_trouble(answer: list[bytes], trouble: type[HttpTrouble]) -> None:
    async with listening(answer) as (server, client):
        with pytest.raises(trouble):
            await client.ask("GET", server.url, {}, most=100)


async def test_a_server_that_left_in_the_meantime_is_asked_anew() -> None:
    async with listening([FINE], [b""], [FINE]) as (server, client):
        await client.ask("GET", server.url, {})
        assert (await client.ask("GET", server.url, {})).status == 200
        assert server.connections == 2


async def test_what_may_have_been_done_is_not_done_again() -> None:
    async with listening([FINE], [b""], [FINE]) as (server, client):
        await client.ask("GET", server.url, {})
        with pytest.raises(HttpTrouble):
            await client.ask("POST", server.url, {}, b"")
        assert len(server.requests) == 2


async def test_a_caller_that_leaves_takes_its_connection_along() -> None:
    async with listening([FINE[:9]], [FINE]) as (server, client):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.ask("GET", server.url, {})
        assert (await client.ask("GET", server.url, {})).body == b"ok"
        assert server.connections == 2


async def test_a_caller_that_leaves_as_the_answer_comes_takes_its_connection_along() -> None:
    async with listening() as (server, _):
        host, port = server.url.removeprefix("http://").split(":")
        lost: list[HttpConnection] = []
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: HttpConnection(lost.append), host, int(port)
        )
        asking = asyncio.create_task(connection.ask((b"GET / HTTP/1.1\r\n\r\n",), 1000))
        await asyncio.sleep(0)
        connection.data_received(FINE)
        asking.cancel()
        await asyncio.wait([asking])
        await asyncio.sleep(0)
    assert asking.cancelled()
    assert lost == [connection]


async def test_closing_ends_what_is_under_way_and_what_comes_later() -> None:
    async with listening([FINE[:9]]) as (server, client):
        asking = asyncio.create_task(client.ask("POST", server.url, {}, b""))
        while not server.requests:
            await asyncio.sleep(0)
        client.close()
        with pytest.raises(HttpTrouble):
            await asking
        with pytest.raises(HttpTrouble, match="closed"):
            await client.ask("GET", server.url, {})


@pytest.mark.parametrize("url", ["ftp://x/", "http:///", "http://x:99999/", "http://127.0.0.1:1/"])
async def test_an_address_where_nobody_is(url: str) -> None:
    with pytest.raises(HttpTrouble):
        await HttpClient().ask("GET", url, {})


async def test_a_header_cannot_hold_another() -> None:
    with pytest.raises(HttpTrouble):
        await HttpClient().ask("GET", "http://127.0.0.1:1/", {"X": "a\r\nY: b"})

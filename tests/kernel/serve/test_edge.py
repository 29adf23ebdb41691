"""The HTTP edge over real sockets: RFC 9112 framing, limits, times, callers that misbehave."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from yunmeng.kernel.serve.edge import EdgeServer, Limits

QUICK = Limits(
    head=4096, headers=20, ahead=20_000, head_s=0.2, idle_s=0.3, body_s=0.3, linger_s=0.3, grace_s=0.4
)
HOST = b"Host: x\r\n"


class Seen:
    """An application that answers by path, and remembers what it was told."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.events: list[str] = []
        self.go = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{message['type']}.complete"})
            self.events.append("shutdown")
            await send({"type": "lifespan.shutdown.complete"})
            return
        self.scopes.append(scope)
        paths: dict[str, Callable[[Any, Any], Awaitable[None]]] = {
            "/stream": self.stream,
            "/blind": self.blind,
            "/fail": self.fail,
            "/late": self.late,
            "/split": self.split,
            "/flood": self.flood,
            "/held": self.held,
        }
        await paths.get(scope["path"], self.echo)(receive, send)

    async def echo(self, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.bodies.append(body)
        headers = [(b"content-length", b"%d" % len(body)), (b"location", b"/there"), (b"ngsild-tenant", b"t")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def stream(self, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await receive()
        message = await receive()
        self.events.append(message["type"])
        self.go.set()

    async def blind(self, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 413, "headers": []})
        await send({"type": "http.response.body", "body": b"no"})

    async def fail(self, receive: Any, send: Any) -> None:
        raise LookupError("defect")

    async def late(self, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"part", "more_body": True})
        raise LookupError("defect")

    async def split(self, receive: Any, send: Any) -> None:
        headers = [(b"location", b"/a\r\nset-cookie: stolen")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def flood(self, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(2_000):
            await send({"type": "http.response.body", "body": bytes(10_000), "more_body": True})
            self.bodies.append(b"")
        await send({"type": "http.response.body", "body": b""})

    async def held(self, receive: Any, send: Any) -> None:
        self.events.append("held")
        await self.go.wait()
        await self.echo(receive, send)


@asynccontextmanager
async def serving(limits: Limits = QUICK) -> AsyncIterator[tuple[EdgeServer, Seen]]:
    app = Seen()
    server = EdgeServer(app, "127.0.0.1", 0, limits)
    await server.start()
    try:
        yield server, app
    finally:
        await server.stop()


@pytest.fixture
async def edge() -> AsyncIterator[tuple[EdgeServer, Seen]]:
    async with serving() as made:
        yield made


async def say(server: EdgeServer, *parts: bytes, pause: float = 0.01) -> bytes:
    """Sends the parts one after the other and returns all that comes until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(pause)
        async with asyncio.timeout(5):
            return await reader.read()
    except ConnectionError:
        return b"reset"
    finally:
        writer.close()


def request(line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    return line + b" HTTP/1.1\r\n" + HOST + b"".join(one + b"\r\n" for one in headers) + b"\r\n" + body


LAST = request(b"GET /last", b"Connection: close")


async def test_requests_on_one_connection_are_answered_in_their_order(edge: tuple[EdgeServer, Seen]) -> None:
    server, app = edge
    first = request(b"POST /a%20b?q=1", b"Content-Length: 5", body=b"hello")
    second = request(
        b"POST /b", b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n"
    )
    answer = await say(server, first + second + LAST)
    assert app.bodies == [b"hello", b"abcde", b""]
    assert answer.index(b"\r\n\r\nhello") < answer.index(b"\r\n\r\nabcde")
    scope = app.scopes[0]
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/a b", b"/a%20b", b"q=1")
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 3
    assert answer.count(b"Connection: close") == 1


async def test_a_request_may_come_byte_by_byte(edge: tuple[EdgeServer, Seen]) -> None:
    server, app = edge
    whole = request(b"POST /a", b"Content-Length: 3", b"Connection: close", body=b"abc")
    answer = await say(server, *[bytes([byte]) for byte in whole], pause=0)
    assert answer.endswith(b"\r\n\r\nabc")
    assert dict(app.scopes[0]["headers"])[b"host"] == b"x"


async def test_names_of_headers_are_written_as_people_do(edge: tuple[EdgeServer, Seen]) -> None:
    answer = await say(edge[0], LAST)
    assert b"\r\nLocation: /there\r\n" in answer
    assert b"\r\nNGSILD-Tenant: t\r\n" in answer
    assert b"\r\nDate: " in answer


@pytest.mark.parametrize(
    ("broken", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nNo colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nSpace : b\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (request(b"POST /", b"Content-Length: 5", b"Content-Length: 6", body=b"hello!"), 400),
        (request(b"POST /", b"Content-Length: +5", body=b"hello"), 400),
        (request(b"POST /", b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
        (request(b"POST /", b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"), 400),
        (request(b"GET /" + b"a" * 5000), 414),
        (request(b"GET /", b"A: " + b"a" * 5000), 431),
        (request(b"GET /", *[b"A%d: b" % n for n in range(30)]), 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nEndless: " + b"a" * 5000, 431),
    ],
)
async def test_what_is_no_request_is_refused_and_ends_the_connection(
    edge: tuple[EdgeServer, Seen], broken: bytes, status: int
) -> None:
    server, app = edge
    answer = await say(server, broken + LAST)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"HTTP/1.1") == 1
    assert b"Connection: close" in answer
    assert not any(scope["path"] == "/last" for scope in app.scopes)


async def test_a_request_hidden_in_a_body_is_never_answered(edge: tuple[EdgeServer, Seen]) -> None:
    server, app = edge
    hidden = b"0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
    outer = request(
        b"POST /", b"Content-Length: %d" % len(hidden), b"Transfer-Encoding : chunked", body=hidden
    )
    await say(server, outer)
    assert [scope["path"] for scope in app.scopes if scope["path"] == "/hidden"] == []


async def test_a_body_with_endless_trailers_is_cut(edge: tuple[EdgeServer, Seen]) -> None:
    start = request(b"POST /", b"Transfer-Encoding: chunked", body=b"1\r\na\r\n0\r\n")
    answer = await say(edge[0], start, b"T: " + b"a" * 9000)
    assert b"200" not in answer


async def test_an_old_version_is_kept_only_where_it_asks(edge: tuple[EdgeServer, Seen]) -> None:
    server, _ = edge
    assert (await say(server, b"GET /a HTTP/1.0\r\n\r\n")).count(b"200 OK") == 1
    kept = b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    answer = await say(server, kept + b"GET /b HTTP/1.0\r\n\r\n")
    assert answer.count(b"200 OK") == 2
    assert answer.count(b"Connection: keep-alive") == 1


async def test_a_target_in_absolute_form_is_its_path(edge: tuple[EdgeServer, Seen]) -> None:
    server, app = edge
    await say(server, request(b"GET http://other/a/b?c", b"Connection: close"))
    assert (app.scopes[0]["path"], app.scopes[0]["query_string"]) == ("/a/b", b"c")


async def test_another_protocol_is_not_spoken(edge: tuple[EdgeServer, Seen]) -> None:
    upgrade = request(b"GET /a", b"Connection: Upgrade", b"Upgrade: websocket")
    answer = await say(edge[0], upgrade + LAST)
    assert answer.count(b"HTTP/1.1 200") == 1
    assert b"Connection: close" in answer


async def test_a_body_is_asked_for_when_it_is_wanted(edge: tuple[EdgeServer, Seen]) -> None:
    server, app = edge
    head = request(b"POST /a", b"Content-Length: 3", b"Expect: 100-continue", b"Connection: close")
    answer = await say(server, head, b"abc", pause=0.05)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert app.bodies == [b"abc"]
    refused = await say(server, request(b"POST /blind", b"Content-Length: 3", b"Expect: 100-continue"))
    assert refused.startswith(b"HTTP/1.1 413 ")


async def test_an_answer_before_the_end_of_a_large_body_arrives(edge: tuple[EdgeServer, Seen]) -> None:
    server, _ = edge
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request(b"POST /blind", b"Content-Length: 3000000"))
    for _ in range(30):
        writer.write(bytes(100_000))
        await writer.drain()
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.endswith(b"no")
    writer.close()


async def test_a_large_body_arrives_whole_and_waits_for_the_application() -> None:
    async with serving() as (server, app):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        body = bytes(range(256)) * 8_000
        writer.write(request(b"POST /held", b"Content-Length: %d" % len(body), b"Connection: close"))
        writer.write(body)
        await asyncio.sleep(0.1)
        (connection,) = server.connections
        assert connection.waiting <= QUICK.ahead + (1 << 20)
        app.go.set()
        answer = await reader.read()
        assert answer.endswith(body)
        writer.close()


async def test_a_body_that_comes_faster_than_it_is_taken_does_not_hold_the_next_request() -> None:
    async with serving() as (server, seen):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for size in (50_000, 10, 90_000, 10):
            writer.write(request(b"POST /echo", b"Content-Length: %d" % size))
            await asyncio.sleep(0.02)
            # the application waits already, and all of it comes at once
            writer.write(b"x" * size)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 2)
            assert head.startswith(b"HTTP/1.1 200")
            await asyncio.wait_for(reader.readexactly(size), 2)
        writer.close()
        await writer.wait_closed()
    assert [len(body) for body in seen.bodies] == [50_000, 10, 90_000, 10]


async def test_a_head_that_comes_too_slowly_is_given_up() -> None:
    async with serving() as (server, _):
        answer = await say(server, b"GET / HTTP/1.1\r\n", b"Host: x\r\n")
        assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_caller_who_says_nothing_is_let_go(edge: tuple[EdgeServer, Seen]) -> None:
    server, _ = edge
    assert await say(server) == b""
    assert (await say(server, request(b"GET /a"))).count(b"200 OK") == 1


async def test_a_body_that_stays_away_is_given_up(edge: tuple[EdgeServer, Seen]) -> None:
    server, app = edge
    answer = await say(server, request(b"POST /a", b"Content-Length: 10", body=b"abc"))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert not server.connections
    assert app.bodies in ([], [b"abc"])


async def test_a_reader_who_takes_nothing_makes_the_answer_wait(edge: tuple[EdgeServer, Seen]) -> None:
    server, app = edge
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request(b"GET /flood", b"Connection: close"))
    await asyncio.sleep(0.2)
    assert 0 < len(app.bodies) < 2_000
    answer = await reader.read()
    assert len(app.bodies) == 2_000
    assert answer.endswith(b"\r\n0\r\n\r\n")
    assert len(answer) > 20_000_000
    writer.close()


async def test_the_application_hears_that_a_caller_has_left(edge: tuple[EdgeServer, Seen]) -> None:
    server, app = edge
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request(b"GET /stream"))
    assert b"Transfer-Encoding: chunked" in await reader.readuntil(b"3\r\none\r\n")
    writer.close()
    async with asyncio.timeout(3):
        await app.go.wait()
    assert app.events == ["http.disconnect"]


async def test_a_stream_to_an_old_caller_ends_with_the_connection(edge: tuple[EdgeServer, Seen]) -> None:
    server, app = edge
    app.go.set()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /flood HTTP/1.0\r\n\r\n")
    answer = await reader.read()
    assert b"chunked" not in answer
    assert len(answer.partition(b"\r\n\r\n")[2]) == 20_000_000
    writer.close()


async def test_defects_are_told_from_answers(edge: tuple[EdgeServer, Seen]) -> None:
    server, _ = edge
    assert (await say(server, request(b"GET /fail"))).startswith(b"HTTP/1.1 500 ")
    late = await say(server, request(b"GET /late"))
    assert late == b"reset" or not late.endswith(b"0\r\n\r\n")
    split = await say(server, request(b"GET /split"))
    assert split.startswith(b"HTTP/1.1 500 ")
    assert b"cookie" not in split


async def test_a_head_alone_has_no_body(edge: tuple[EdgeServer, Seen]) -> None:
    answer = await say(edge[0], request(b"HEAD /flood", b"Connection: close"))
    assert answer.partition(b"\r\n\r\n")[2] == b""


async def test_too_many_callers_are_told_so() -> None:
    async with serving(Limits(connections=1)) as (server, _):
        _, first = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.sleep(0.05)
        assert (await say(server)).startswith(b"HTTP/1.1 503 ")
        first.close()


async def test_a_stop_lets_answers_end_and_takes_no_more() -> None:
    async with serving() as (server, app):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        _, idle = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(request(b"POST /held", b"Content-Length: 2", body=b"ok"))
        while "held" not in app.events:
            await asyncio.sleep(0.01)
        port = server.port
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0.05)
        with pytest.raises(OSError, match=r"."):
            await asyncio.open_connection("127.0.0.1", port)
        app.go.set()
        answer = await reader.read()
        assert answer.endswith(b"ok")
        assert b"Connection: close" in answer
        await stopping
        assert app.events[-1] == "shutdown"
        writer.close()
        idle.close()


async def test_a_stop_ends_streams_that_would_not_end() -> None:
    async with serving() as (server, app):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(request(b"GET /stream"))
        await reader.readuntil(b"3\r\none\r\n")
        await server.stop()
        assert app.events == ["http.disconnect", "shutdown"]
        writer.close()


async def test_processes_share_a_port() -> None:
    async with serving() as (first, _):
        second = EdgeServer(Seen(), "127.0.0.1", first.port, QUICK)
        await second.start()
        for _ in range(8):
            assert b"200 OK" in await say(first, LAST)
        await second.stop()


PIECES = (
    request(b"POST /a", b"Content-Length: 5", body=b"hello"),
    request(b"POST /b", b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\nT: 1\r\n\r\n"),
    request(b"POST /blind", b"Content-Length: 9", b"Expect: 100-continue"),
    request(b"GET /a", b"Connection: Upgrade", b"Upgrade: h2c"),
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    LAST,
)
SPLINTERS = (
    b"\r\n",
    b"\0",
    b" ",
    b"Content-Length: 7\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"0\r\n\r\n",
    b"\xff" * 9,
)


def broken(dice: random.Random) -> bytes:
    """Requests one after the other, with a few things wrong."""
    data = bytearray(b"".join(dice.choices(PIECES, k=dice.randint(1, 4))))
    for _ in range(dice.randint(0, 4)):
        place = dice.randrange(len(data))
        data[place : place + dice.randint(0, 6)] = dice.choice(
            (b"", bytes([dice.randrange(256)]), *SPLINTERS)
        )
    return bytes(data)


async def test_whatever_comes_the_server_goes_on(edge: tuple[EdgeServer, Seen]) -> None:
    server, _ = edge
    defects: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: defects.append(context))
    dice = random.Random(7)
    for _ in range(10):
        answers = await asyncio.gather(*(say(server, broken(dice)) for _ in range(20)))
        assert all(answer in (b"", b"reset") or answer.startswith(b"HTTP/1.1 ") for answer in answers)
    assert (await say(server, LAST)).startswith(b"HTTP/1.1 200 ")
    assert defects == []
    assert not server.connections

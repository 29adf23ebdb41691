"""What a request promises: one answer, the handler's error, or a clear no."""

import asyncio
import time

import pytest

from yunmeng.kernel.base import Broken, Conflict, NotFound, Unavailable
from yunmeng.kernel.link import Bus, Request
from yunmeng.kernel.trust import Principal

PERSON = Principal("person:李", tenant="水利厅", divisions=("420100",), clearance=3)


async def test_a_request_is_answered_by_the_handler(bus: Bus) -> None:
    seen: list[Request] = []

    async def handler(request: Request) -> bytes:
        seen.append(request)
        return request.data[::-1]

    await bus.serve("keeper.write", handler)
    assert await bus.request("keeper.write", b"abc", PERSON) == b"cba"
    assert seen == [Request("keeper.write", b"abc", PERSON)]


async def test_an_empty_answer_is_an_answer(bus: Bus) -> None:
    async def handler(_: Request) -> bytes:
        return b""

    await bus.serve("keeper.write", handler)
    assert await bus.request("keeper.write", b"", PERSON) == b""


async def test_the_handlers_error_is_raised_at_the_caller(bus: Bus) -> None:
    async def handler(request: Request) -> bytes:
        if request.data == b"missing":
            raise NotFound("entity.unknown", id="urn:ngsi-ld:水库:1", tries=3)
        raise Conflict("entity.exists", id="x")

    await bus.serve("keeper.write", handler)
    with pytest.raises(NotFound) as missing:
        await bus.request("keeper.write", b"missing", PERSON)
    assert (missing.value.key, missing.value.facts) == (
        "entity.unknown",
        {"id": "urn:ngsi-ld:水库:1", "tries": 3},
    )
    with pytest.raises(Conflict):
        await bus.request("keeper.write", b"", PERSON)


async def test_a_handler_that_breaks_says_so_and_goes_on(bus: Bus, caplog: pytest.LogCaptureFixture) -> None:
    async def handler(request: Request) -> bytes:
        return b"%d" % (1 // len(request.data))

    await bus.serve("keeper.write", handler)
    with pytest.raises(Broken) as broken:
        await bus.request("keeper.write", b"", PERSON)
    assert broken.value.key == "bus.handler-failed"
    assert "ZeroDivisionError" in caplog.text
    assert await bus.request("keeper.write", b"x", PERSON) == b"1"


async def test_nobody_there_is_said_in_time(bus: Bus) -> None:
    started = time.monotonic()
    with pytest.raises(Unavailable) as refusal:
        await bus.request("keeper.write", b"", PERSON, timeout_s=0.3)
    assert refusal.value.key == "bus.no-answer"
    assert time.monotonic() - started < 2


async def test_a_server_that_starts_in_time_still_answers(bus: Bus) -> None:
    async def handler(_: Request) -> bytes:
        return b"here"

    waiting = asyncio.create_task(bus.request("keeper.write", b"", PERSON, timeout_s=5))
    await asyncio.sleep(0.2)
    await bus.serve("keeper.write", handler)
    assert await waiting == b"here"


async def test_a_handler_that_takes_too_long_is_not_waited_for(bus: Bus) -> None:
    async def handler(_: Request) -> bytes:
        await asyncio.sleep(1)
        return b""

    await bus.serve("keeper.write", handler)
    with pytest.raises(Unavailable) as refusal:
        await bus.request("keeper.write", b"", PERSON, timeout_s=0.1)
    assert refusal.value.key == "bus.no-answer"


async def test_requests_are_handled_side_by_side(bus: Bus) -> None:
    together = asyncio.Barrier(50)

    async def handler(request: Request) -> bytes:
        await together.wait()
        return request.data

    await bus.serve("keeper.>", handler)
    answers = await asyncio.gather(*(bus.request(f"keeper.n{n}", b"%d" % n, PERSON) for n in range(50)))
    assert answers == [b"%d" % n for n in range(50)]


async def test_one_of_several_servers_gets_each_request(engine: object) -> None:
    served = {"a": 0, "b": 0}

    def counting(name: str):
        async def handler(_: Request) -> bytes:
            served[name] += 1
            return name.encode()

        return handler

    first, second, caller = await engine.open(), await engine.open(), await engine.open()
    await first.serve("api.read", counting("a"))
    await second.serve("api.read", counting("b"))
    await asyncio.gather(*(caller.request("api.read", b"", PERSON) for _ in range(200)))
    assert sum(served.values()) == 200
    assert min(served.values()) > 20


async def test_big_requests_and_answers_pass(bus: Bus) -> None:
    async def handler(request: Request) -> bytes:
        return request.data * 2

    await bus.serve("keeper.write", handler)
    body = bytes(8 * 1024**2)
    assert await bus.request("keeper.write", body, PERSON) == body * 2

import asyncio
import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yunmeng.kernel.base import BadInput, NotFound, now_us
from yunmeng.kernel.store import Objects

BAD_KEYS = [
    "",
    "/a",
    "a/",
    "a//b",
    "..",
    "a/../b",
    "./a",
    "a/.",
    "a\\b",
    "a\nb",
    "a\0b",
    "x" * 513,
    "y" * 201,
]


async def test_content_media_type_and_digest_come_back(objects: Objects) -> None:
    data = bytes(range(256)) * 100
    before = now_us()
    put = await objects.put("报告/2026/洪水 分析.pdf", data, "application/pdf")
    assert (put.key, put.size, put.media_type) == ("报告/2026/洪水 分析.pdf", 25_600, "application/pdf")
    assert put.sha256 == hashlib.sha256(data).hexdigest()
    assert abs(put.modified_at - before) < 10_000_000
    assert await objects.info(put.key) == put
    assert await objects.get(put.key) == data


async def test_a_second_put_replaces(objects: Objects) -> None:
    await objects.put("map.json", b"old", "text/plain")
    await objects.put("map.json", b"newer", "application/json")
    assert await objects.get("map.json") == b"newer"
    assert (await objects.info("map.json")).media_type == "application/json"
    assert len(await objects.list()) == 1


async def test_an_empty_object_is_an_object(objects: Objects) -> None:
    await objects.put("empty", b"")
    info = await objects.info("empty")
    assert (info.size, info.media_type) == (0, "application/octet-stream")
    assert await objects.get("empty") == b""
    assert [piece async for piece in objects.stream("empty") if piece] == []


async def test_stream_yields_all_of_it_in_chunks(objects: Objects) -> None:
    data = bytes(i % 251 for i in range(3_000_000))
    await objects.put("big", data)
    pieces = [piece async for piece in objects.stream("big", 1 << 20)]
    assert len(pieces) >= 2
    assert b"".join(pieces) == data


async def test_what_is_absent_is_said_so(objects: Objects) -> None:
    for ask in (objects.get("no"), objects.info("no"), anext(objects.stream("no"))):
        with pytest.raises(NotFound, match="no") as caught:
            await ask
        assert caught.value.key == "object.absent"
    await objects.delete("no")


async def test_delete_removes_one_key_only(objects: Objects) -> None:
    await objects.put("a", b"1")
    await objects.put("a/b", b"2")
    await objects.delete("a")
    assert [info.key for info in await objects.list()] == ["a/b"]
    assert await objects.get("a/b") == b"2"
    with pytest.raises(NotFound):
        await objects.get("a")


async def test_list_is_by_prefix_and_in_order(objects: Objects) -> None:
    keys = ["b", "a/2", "a/10", "ab", "a/x/y", "水/1"]
    for key in keys:
        await objects.put(key, key.encode(), "text/plain")
    assert [info.key for info in await objects.list()] == sorted(keys)
    assert [info.key for info in await objects.list("a/")] == ["a/10", "a/2", "a/x/y"]
    assert [info.key for info in await objects.list("a")] == ["a/10", "a/2", "a/x/y", "ab"]
    assert [info.key for info in await objects.list("a/1")] == ["a/10"]
    assert await objects.list("zzz/") == []
    assert {info.media_type for info in await objects.list("a")} == {"text/plain"}


@pytest.mark.parametrize("key", BAD_KEYS)
async def test_a_key_that_leads_elsewhere_is_refused(objects: Objects, key: str) -> None:
    async def first() -> bytes:
        return await anext(objects.stream(key))

    for ask in (lambda: objects.put(key, b"x"), lambda: objects.get(key), lambda: objects.info(key), first):
        with pytest.raises(BadInput) as caught:
            await ask()
        assert caught.value.key == "object.key"
    with pytest.raises(BadInput):
        await objects.delete(key)
    assert await objects.list() == []


@given(parts=st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30), min_size=1, max_size=4))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_key_is_either_kept_or_refused(objects: Objects, parts: list[str]) -> None:
    key = "/".join(parts)
    try:
        await objects.put(key, b"content")
    except BadInput:
        return
    assert await objects.get(key) == b"content"
    assert key in {info.key for info in await objects.list()}
    await objects.delete(key)


async def test_many_writers_of_one_key_leave_one_of_their_objects(objects: Objects) -> None:
    contents = [bytes([n]) * 50_000 for n in range(8)]
    await asyncio.gather(*(objects.put("same", data) for data in contents))
    assert await objects.get("same") in contents
    assert len(await objects.list()) == 1

"""Records that are stored only where the stored one is what the writer has read."""

import asyncio

import msgspec
import pytest

from yunmeng.kernel.base import Conflict
from yunmeng.kernel.keeper import RECORDS, RecordPut, RecordsRequest

from .conftest import OPERATOR, House


async def put(house: House, body: bytes, expected: bytes | None = None, *more: RecordPut) -> None:
    request = RecordsRequest((RecordPut("note", "", "one", body, expected), *more))
    await house.bus.request(RECORDS, msgspec.msgpack.encode(request), OPERATOR)


async def drop(house: House) -> None:
    request = RecordsRequest(drops=(("note", "", "one"),))
    await house.bus.request(RECORDS, msgspec.msgpack.encode(request), OPERATOR)


async def stored(house: House, id_: str = "one") -> bytes | None:
    record = await house.state.record("note", "", id_)
    return record.body if record is not None else None


async def test_what_is_expected_is_replaced(house: House) -> None:
    await put(house, b"1", b"")
    await put(house, b"2", b"1")
    with pytest.raises(Conflict):
        await put(house, b"3", b"1")
    with pytest.raises(Conflict):
        await put(house, b"3", b"")
    assert await stored(house) == b"2"
    await put(house, b"4")
    assert await stored(house) == b"4"


async def test_a_request_is_refused_whole(house: House) -> None:
    with pytest.raises(Conflict):
        await put(house, b"1", b"0", RecordPut("note", "", "two", b"2"))
    assert (await stored(house), await stored(house, "two")) == (None, None)


async def test_of_several_at_once_one_wins(house: House) -> None:
    done = await asyncio.gather(*(put(house, b"%d" % n, b"") for n in range(8)), return_exceptions=True)
    assert [type(one) for one in done].count(Conflict) == 7
    assert await stored(house) == b"%d" % done.index(None)


async def test_what_is_stored_after_a_removal_stays(house: House) -> None:
    await put(house, b"1")
    await asyncio.gather(drop(house), put(house, b"2", b""))
    assert await stored(house) == b"2"
    await asyncio.gather(drop(house), drop(house), put(house, b"4", b""))
    assert await stored(house) == b"4"
    await asyncio.gather(put(house, b"3", b"4"), drop(house))
    assert await stored(house) is None

"""The quarantine behind the console's page: who sees it, what it shows, sent in again, dropped."""

from base64 import b64encode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.console.conftest import NODE, Town

from yunmeng.console.quarantine import readable
from yunmeng.kernel.keeper import (
    QUARANTINE,
    RECORDS,
    Quarantined,
    Reason,
    RecordPut,
    RecordsRequest,
)
from yunmeng.kernel.link import Request, sense_subject
from yunmeng.kernel.sense import FrameReport

shared = pytest.mark.asyncio(loop_scope="session")
BROKEN = "##0010QN=泵站".encode("gbk")


async def set_aside(town: Town, id: str, gateway: str = "drains", raw: bytes = BROKEN) -> None:
    held = Quarantined(
        at="2026-07-01T04:00:00.000Z",
        subject=sense_subject("frame", gateway),
        principal=f"urn:yunmeng:gateway:{gateway}",
        gateway=gateway,
        rows=1,
        reason=Reason("frame.checksum", {"protocol": "hj212", "found": "1C80", "expected": "801C"}),
        raw=b64encode(raw).decode(),
        peer="10.0.0.7:5000",
    )
    request = RecordsRequest(puts=(RecordPut(QUARANTINE, "", id, msgspec.json.encode(held)),))
    await town.bus.request(RECORDS, msgspec.msgpack.encode(request), NODE)


@shared
async def test_what_was_refused_is_shown_with_its_reason_and_bytes(town: Town) -> None:
    await set_aside(town, "q-1")
    await set_aside(town, "q-2", "buses", b"\x7e\x02\x00\xff\x7e")
    async with town.client("admin") as client:
        told = (await client.get("/api/quarantine")).json()
        mine = {row["id"]: row for row in told["rows"]}
        assert {"q-1", "q-2"} <= mine.keys()
        assert {row["gateway"]: row["count"] for row in told["gateways"]} == {
            "drains": 1,
            "buses": 1,
        }
        assert mine["q-1"]["reason"]["title"]
        assert "1C80" in mine["q-1"]["reason"]["detail"]
        only = (await client.get("/api/quarantine", params={"gateway": "buses"})).json()
        assert [row["id"] for row in only["rows"]] == ["q-2"]
        whole = (await client.get("/api/quarantine/q-1")).json()
        assert whole["hex"] == BROKEN.hex()
        assert whole["text"] == "##0010QN=泵站"
        assert whole["facts"]["expected"] == "801C"
        assert (await client.get("/api/quarantine/q-9")).json()["key"] == "quarantine.absent"
        shell = (await client.get("/api/console")).json()
        assert "quarantine.replay" in shell["user"]["may"]
        await client.post("/api/quarantine/drop", json={"ids": ["q-1", "q-2"]})


@shared
async def test_a_frame_goes_to_its_gateway_once_more_and_leaves_when_taken(town: Town) -> None:
    await set_aside(town, "q-good", "weirs", b"good")
    await set_aside(town, "q-bad", "weirs", b"bad")
    await set_aside(town, "q-lone", "nobody", b"good")
    heard: list[bytes] = []

    async def gateway(request: Request) -> bytes:
        frames = msgspec.msgpack.decode(request.data, type=list[bytes])
        heard.extend(frames)
        refused = tuple("still broken" for frame in frames if frame == b"bad")
        return msgspec.msgpack.encode(FrameReport(1, refused))

    await town.bus.serve(sense_subject("frame", "weirs"), gateway)
    async with town.client("admin") as client:
        said = await client.post("/api/quarantine/replay", json={"ids": ["q-good", "q-bad"]})
        assert said.json() == {
            "taken": ["q-good"],
            "refused": [{"id": "q-bad", "reason": "still broken"}],
        }
        assert heard == [b"good", b"bad"]
        left = {row["id"] for row in (await client.get("/api/quarantine")).json()["rows"]}
        assert "q-good" not in left
        assert {"q-bad", "q-lone"} <= left
        dropped = await client.post("/api/quarantine/drop", json={"ids": ["q-bad", "q-lone"]})
        assert dropped.json() == {"dropped": ["q-bad", "q-lone"]}
        assert (await client.get("/api/quarantine", params={"gateway": "weirs"})).json()["count"] == 0


@pytest.mark.parametrize(("name", "key"), [("viewer", "policy.refused"), ("wuhan", "quarantine.reach")])
@shared
async def test_who_sees_a_part_only_or_may_not_change_sees_no_frames(town: Town, name: str, key: str) -> None:
    async with town.client(name) as client:
        assert (await client.get("/api/quarantine")).json()["key"] == key
        for path in ("replay", "drop"):
            said = await client.post(f"/api/quarantine/{path}", json={"ids": ["q-1"]})
            assert said.status_code == 403
        may = (await client.get("/api/console")).json()["user"]["may"]
        assert not [action for action in may if action.startswith("quarantine.")]


@given(st.binary(max_size=200))
def test_any_bytes_can_be_shown(raw: bytes) -> None:
    assert isinstance(readable(raw), str)
    assert readable(raw.hex().encode()) == raw.hex()

"""What expires is known across restarts and named once."""

import msgspec

from yunmeng.kernel.keeper.expiry import KIND, Expiries
from yunmeng.kernel.store import Commit, Record

ENTITY = {"id": "urn:ngsi-ld:T:1", "type": ["urn:x:T"], "expiresAt": "2026-01-01T00:00:10Z"}
MOMENT = 1_767_225_610_000_000


class Kept:
    """A state with these records."""

    def __init__(self, *records: Record) -> None:
        self.kept = records

    async def records(self, kind: str, tenant: str | None = None) -> tuple[Record, ...]:
        return tuple(record for record in self.kept if record.kind == kind)


def test_a_moment_is_stored_once_and_forgotten_with_its_entity():
    expiries, commit = Expiries(), Commit()
    expiries.note(commit, "", ENTITY["id"], MOMENT, 1)
    expiries.note(commit, "", ENTITY["id"], MOMENT, 2)
    assert [msgspec.json.decode(record.body) for record in commit.records] == [MOMENT]
    assert expiries.due(MOMENT - 1) == []
    assert expiries.due(MOMENT) == [("", ENTITY["id"])]
    expiries.later("", ENTITY["id"])
    assert expiries.due(MOMENT) == [("", ENTITY["id"])]
    expiries.note(commit, "", ENTITY["id"], 0, 3)
    assert commit.drop_records == [(KIND, "", ENTITY["id"])]
    assert expiries.due(MOMENT) == []


async def test_a_restart_knows_them_still():
    expiries = Expiries()
    await expiries.load(Kept(Record(KIND, "t", "urn:x:1", msgspec.json.encode(MOMENT))))  # type: ignore[arg-type]
    assert expiries.due(MOMENT) == [("t", "urn:x:1")]

"""The file of the SQLite engine when it is damaged, foreign, or cannot grow."""

import random
from base64 import b85decode
from pathlib import Path

import apsw
import pytest

from yunmeng.kernel.base import Broken, Settings, Unavailable
from yunmeng.kernel.base.sections import NodeSettings
from yunmeng.kernel.store import Commit, EntityPut, EntityQuery, open_state_reader, open_state_writer
from yunmeng.kernel.store.state.sqlite import SqliteReader, SqliteWriter
from yunmeng.kernel.trust import Reach


def incompressible(number: int, size: int) -> str:
    return random.Random(number).randbytes(size // 2 + 1).hex()[:size]


def put(number: int, size: int = 10) -> EntityPut:
    id = f"urn:ngsi-ld:Thing:{number}"
    value = incompressible(number, size)
    body = f'{{"id":"{id}","type":["urn:x:T"],"urn:x:a":[{{"type":"Property","value":"{value}"}}]}}'
    return EntityPut("", id, ("urn:x:T",), "420106", body.encode())


async def made(path: Path) -> Path:
    writer = SqliteWriter(path, "42")
    await writer.commit(Commit(puts=[put(n, 2000) for n in range(200)]))
    await writer.close()
    return path


async def test_a_damaged_file_says_which_and_what_to_do(tmp_path: Path) -> None:
    path = await made(tmp_path / "state.sqlite")
    with path.open("r+b") as file:
        file.write(b"\x00" * 100)
    for opened in (SqliteWriter, SqliteReader):
        with pytest.raises(Broken) as caught:
            opened(path, "42")
        assert caught.value.key == "store.corrupt"
        assert caught.value.facts["path"] == path


async def test_a_page_damaged_inside_is_met_on_reading(tmp_path: Path) -> None:
    path = await made(tmp_path / "state.sqlite")
    with path.open("r+b") as file:
        file.seek(4096 * 5)
        file.write(b"\xff" * (path.stat().st_size - 4096 * 5))
    reader = SqliteReader(path, "42")
    with pytest.raises(Broken) as caught:
        await reader.query(EntityQuery(Reach(), limit=1000))
    assert caught.value.key == "store.corrupt"
    await reader.close()


async def test_the_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE theirs(x)").fetchall()
    other.close()
    with pytest.raises(Broken) as caught:
        SqliteWriter(path, "42")
    assert caught.value.key == "store.foreign"


async def test_a_full_disk_stores_nothing_and_mends_itself(tmp_path: Path) -> None:
    writer = SqliteWriter(tmp_path / "state.sqlite", "42")
    await writer.commit(Commit(puts=[put(1)], positions={"OBS": 1}))
    pages = writer.limit_pages(40)
    with pytest.raises(Unavailable) as caught:
        await writer.commit(Commit(puts=[put(n, 2000) for n in range(2, 500)], positions={"OBS": 2}))
    assert caught.value.key == "store.full"
    assert await writer.position("OBS") == 1
    assert len((await writer.query(EntityQuery(Reach(), limit=1000))).documents) == 1
    writer.limit_pages(pages)
    await writer.commit(Commit(puts=[put(n, 2000) for n in range(2, 500)], positions={"OBS": 2}))
    assert (await writer.query(EntityQuery(Reach(), limit=0, count=True))).count == 499
    await writer.close()


async def test_settings_open_the_embedded_engine_in_the_data_folder(tmp_path: Path) -> None:
    settings = Settings(node=NodeSettings(data=tmp_path))
    writer = await open_state_writer(settings)
    await writer.commit(Commit(puts=[put(1)]))
    reader = await open_state_reader(settings)
    assert await reader.get(Reach(), "urn:ngsi-ld:Thing:1") == put(1).body
    await reader.close()
    await writer.close()
    assert (tmp_path / "state" / "state.sqlite").exists()


PLAIN = (
    b'{"id":"urn:ngsi-ld:Thing:7","type":["https://w3id.org/yunmeng/Thing"],'
    b'"https://w3id.org/yunmeng/name":[{"type":"Property","value":"deflated"}]}'
)
DEFLATED = b85decode("0jpNZM0Z6<MrK~Rl{wG~h`*z8>jo=T!e@S7VlFUj@WqG{FuZ{&C^ZG>&{_Z")


@pytest.mark.parametrize(("version", "stored"), [(1, PLAIN), (2, DEFLATED)])
async def test_documents_of_earlier_versions_are_read(tmp_path: Path, version: int, stored: bytes) -> None:
    path = await made(tmp_path / "state.sqlite")
    connection = apsw.Connection(str(path))
    entity = "(SELECT entity FROM entities WHERE id = ?)"
    connection.execute(
        f"UPDATE documents SET body = ? WHERE entity = {entity}", (stored, put(7).id)
    ).fetchall()
    connection.execute(f"PRAGMA user_version={version}").fetchall()
    connection.close()
    writer = SqliteWriter(path, "42")
    assert await writer.get(Reach(), put(7).id) == PLAIN
    assert await writer.get(Reach(), put(8).id) == put(8, 2000).body
    await writer.close()


async def test_a_document_that_is_cut_off_is_met_on_reading(tmp_path: Path) -> None:
    path = await made(tmp_path / "state.sqlite")
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE documents SET body = substr(body, 1, 40)").fetchall()
    connection.close()
    reader = SqliteReader(path, "42")
    with pytest.raises(Broken) as caught:
        await reader.get(Reach(), put(7).id)
    assert caught.value.key == "store.corrupt"
    await reader.close()

from pathlib import Path

import pytest

from yunmeng.kernel.base import BadInput, Broken, Unavailable, load_settings
from yunmeng.kernel.store import open_objects
from yunmeng.kernel.store.objects.folder import FolderObjects
from yunmeng.kernel.store.objects.s3 import S3Objects


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_replacement_and_a_removal_leave_no_files(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path)
    for data in (b"one", b"two", b"three"):
        await objects.put("a/b", data)
    assert len(files(tmp_path)) == 2
    await objects.delete("a/b")
    assert files(tmp_path) == []


async def test_a_put_that_fails_changes_nothing(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path)
    await objects.put("report", b"old")
    (tmp_path / "about" / "blocked").write_bytes(b"a file where a folder must be")
    with pytest.raises(Unavailable) as caught:
        await objects.put("blocked/report", b"new")
    assert caught.value.key == "object.full"
    assert len(files(tmp_path)) == 3
    assert await objects.get("report") == b"old"


async def test_a_draft_of_a_crash_is_no_object(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path)
    await objects.put("a", b"whole")
    (tmp_path / "about" / ".draft-0123").write_bytes(b"half")
    assert [info.key for info in await objects.list()] == ["a"]


async def test_damage_is_told(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path)
    await objects.put("a", b"content")
    [content] = files(tmp_path / "content")
    content.write_bytes(b"c0ntent")
    with pytest.raises(Broken) as caught:
        await objects.get("a")
    assert caught.value.key == "object.corrupt"
    content.unlink()
    with pytest.raises(Broken):
        await objects.get("a")
    (tmp_path / "about" / "a@").write_bytes(b"{")
    with pytest.raises(Broken):
        await objects.info("a")


async def test_a_reader_of_a_replaced_object_reads_the_old_one_to_its_end(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path)
    await objects.put("a", b"0123456789")
    reading = objects.stream("a", 5)
    first = await anext(reading)
    await objects.put("a", b"abcdefghij")
    assert first + b"".join([piece async for piece in reading]) == b"0123456789"


def test_settings_choose_the_engine(tmp_path: Path) -> None:
    def settings(*more: str):
        return load_settings(env={}, overrides=(f"node.data={tmp_path}", *more))

    assert isinstance(open_objects(settings()), FolderObjects)
    for url in ("s3://bucket/prefix", "http://127.0.0.1:9000/bucket"):
        assert isinstance(open_objects(settings("objects.engine=s3", f"objects.url={url}")), S3Objects)
    for url in ("", "s3://", "http://127.0.0.1:9000/", "ftp://host/bucket"):
        with pytest.raises(BadInput):
            open_objects(settings("objects.engine=s3", f"objects.url={url}"))


async def test_an_s3_store_that_does_not_answer_is_unavailable() -> None:
    objects = S3Objects("b", endpoint="http://127.0.0.1:1", access_key="a", secret_key="b", retries=0)
    with pytest.raises(Unavailable) as caught:
        await objects.get("a")
    assert caught.value.key == "object.store-down"

"""The data folder: taken by one node, refused when it is another's, damaged, newer or not to be written."""

import errno
import os
from pathlib import Path

import msgspec
import pytest
from tests.nodes import refused

from yunmeng.node.folder import FORMAT, DataFolder, Endpoints, write_private


def contents(folder: Path) -> set[str]:
    return {str(each.relative_to(folder)) for each in folder.rglob("*")}


def test_a_new_folder_is_marked_and_for_its_owner_only(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "deep" / "data")
    folder.open()
    assert msgspec.json.decode((folder.path / "node.json").read_bytes())["format"] == FORMAT
    assert {oct(each.stat().st_mode & 0o777) for each in (folder.path, folder.logs)} == {"0o700"}
    assert oct((folder.path / "node.json").stat().st_mode & 0o777) == "0o600"
    folder.close()


def test_a_second_node_is_refused_until_the_first_gives_the_folder_back(tmp_path: Path) -> None:
    first, second = DataFolder(tmp_path / "data"), DataFolder(tmp_path / "data")
    first.open()
    first.write_endpoints(Endpoints("nats://x", "secret", "http://y"))
    with refused("node.running"):
        second.open()
    assert first.endpoints().bus_token == "secret", "the refused one took nothing away"
    first.close()
    second.open()
    with refused("node.stopped"):
        second.endpoints()
    second.close()


def test_endpoints_of_a_node_that_was_killed_are_forgotten(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    folder = DataFolder(tmp_path / "data")
    folder.open()
    folder.write_endpoints(Endpoints("nats://dead", "", "http://dead"))
    assert folder._lock is not None
    folder._lock.close()  # as the kernel does for a process that is killed
    folder = DataFolder(tmp_path / "data")
    folder.open()
    with refused("node.stopped"):
        folder.endpoints()
    folder.close()


def test_the_log_of_whoever_started_the_node_may_lie_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "broker.log").write_text("started\n")
    folder = DataFolder(tmp_path)
    folder.open()
    folder.close()
    assert (tmp_path / "broker.log").read_text() == "started\n"


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "huanghelou.jpg").write_bytes(b"jpeg")
    before = contents(tmp_path)
    with refused("node.foreign") as caught:
        DataFolder(tmp_path).open()
    assert caught.value.facts["found"] == "photos"
    assert contents(tmp_path) == before


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format":"x"}', "\x00\x00"])
def test_a_damaged_mark_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "node.json").write_text(text)
    with refused("node.corrupt"):
        DataFolder(tmp_path).open()
    assert contents(tmp_path) == {"node.json"}
    assert (tmp_path / "node.json").read_text() == text


def test_the_folder_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "node.json").write_text('{"format":99,"made_by":"7.0.0","more":1}')
    with refused("node.newer") as caught:
        DataFolder(tmp_path).open()
    assert caught.value.facts["made_by"] == "7.0.0"
    assert contents(tmp_path) == {"node.json"}


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with refused("node.unwritable") as caught:
        DataFolder(tmp_path / "file" / "data").open()
    assert caught.value.facts["reason"] == os.strerror(errno.ENOTDIR)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_write_that_the_disk_refuses_leaves_the_old_file(tmp_path: Path) -> None:
    place = tmp_path / "endpoints.json"
    write_private(place, b"old")
    place.with_suffix(".partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match="space"):
        write_private(place, b"new")
    assert place.read_bytes() == b"old"

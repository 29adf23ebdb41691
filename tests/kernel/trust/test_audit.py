"""The log as its node sees it: files, proofs, crashes, keys."""

import os
import stat
import subprocess
import sys
import threading
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yunmeng.kernel.base import BadInput, Broken, TooLarge, Unavailable
from yunmeng.kernel.trust import (
    AuditLog,
    AuditReader,
    leaf_hash,
    proves_consistency,
    proves_inclusion,
    verify,
)
from yunmeng.kernel.trust.tiles import Tile, tiles_of


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_indices_and_events(log, event):
    assert log.append([event(0), event(1)]) == range(2)
    assert log.append([]) == range(2, 2)
    assert log.append([event(2, unit="m³")]) == range(2, 3)
    assert list(log.events()) == [event(0), event(1), event(2, unit="m³")]
    assert list(log.events(1, 2)) == [event(1)]


def test_the_layout_is_that_of_tlog_tiles(log, event, tmp_path):
    assert files(tmp_path / "audit") == ["checkpoint"]
    log.append([event(number) for number in range(3)])
    assert files(tmp_path / "audit") == ["checkpoint", "tile/0/000.p/3", "tile/entries/000.p/3"]
    log.append([event(number) for number in range(254)])
    assert files(tmp_path / "audit") == [
        "checkpoint",
        "tile/0/000",
        "tile/0/001.p/1",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/001.p/1",
    ]
    bundle = (tmp_path / "audit/tile/entries/001.p/1").read_bytes()
    assert int.from_bytes(bundle[:2], "big") == len(bundle) - 2
    assert (tmp_path / "audit/tile/0/001.p/1").read_bytes() == leaf_hash(bundle[2:])


@pytest.mark.parametrize(
    ("number", "path"),
    [(0, "tile/0/000"), (67, "tile/0/067"), (1234, "tile/0/x001/234"), (1234067, "tile/0/x001/x234/067")],
)
def test_numbers_become_folders(number, path):
    assert Tile(0, number, 256).path == path
    assert Tile.parse(path) == Tile(0, number, 256)


@pytest.mark.parametrize(
    "path",
    ["tile/0/0", "tile/0/000.p/256", "tile/0/000.p/0", "tile/0/000.p/300", "tile/00/000", "tile/a/000"],
)
def test_other_names_are_no_tiles(path):
    assert Tile.parse(path) is None


@given(st.integers(0, 200_000))
def test_files_follow_from_the_size(size):
    tiles = list(tiles_of(size))
    assert sum(tile.width for tile in tiles if tile.level < 0) == size
    assert sum(tile.width for tile in tiles if tile.level == 1) == size // 256
    assert len({tile.path for tile in tiles}) == len(tiles)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15)
@given(packs=st.lists(st.integers(1, 400), min_size=1, max_size=4), data=st.data())
def test_proofs_hold_at_any_size(packs, data, event, tmp_path_factory):
    folder = tmp_path_factory.mktemp("log") / "audit"
    with closing(AuditLog(folder)) as log:
        for pack in packs:
            log.append([event(number) for number in range(pack)])
        size = data.draw(st.integers(1, log.size))
        index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
        leaf, root = leaf_hash(log.entry(index)), log.root(size)
        assert proves_inclusion(leaf, index, size, log.inclusion_proof(index, size), root)
        assert proves_consistency(old, log.root(old), size, root, log.consistency_proof(old, size))
        assert verify(folder, log.verifier_key).ok


def test_a_log_over_three_levels(log, event, tmp_path):
    log.append([event(number) for number in range(65_600)])
    assert (tmp_path / "audit/tile/2/000.p/1").exists()
    path = log.inclusion_proof(65_599)
    assert proves_inclusion(leaf_hash(log.entry(65_599)), 65_599, 65_600, path, log.root())
    assert verify(tmp_path / "audit", log.verifier_key).ok


def test_it_goes_on_after_a_restart(log, event, tmp_path):
    log.append([event(number) for number in range(300)])
    before, key = log.note(), log.verifier_key
    log.close()
    again = AuditLog(tmp_path / "audit", "renamed")
    assert again.verifier_key == key == (tmp_path / "audit.vkey").read_text().strip()
    assert again.append([event(300)]) == range(300, 301)
    assert verify(tmp_path / "audit", key, since=before).ok
    again.close()


def test_one_writer_only(log, tmp_path):
    with pytest.raises(Broken) as caught:
        AuditLog(tmp_path / "audit")
    assert caught.value.key == "audit.busy"
    assert AuditReader(tmp_path / "audit").size == 0


def test_threads_may_share_it(log, event, tmp_path):
    indices = []
    threads = [threading.Thread(target=lambda: indices.extend(log.append([event()] * 7))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(indices) == list(range(56))
    assert verify(tmp_path / "audit", log.verifier_key).ok


def test_a_large_event_is_refused_whole(log, event):
    with pytest.raises(TooLarge) as caught:
        log.append([event(), event(1, text="水" * 30_000)])
    assert caught.value.key == "audit.entry"
    assert log.size == 0


@pytest.mark.parametrize("ask", [lambda log: log.entry(3), lambda log: log.inclusion_proof(0, 4)])
def test_beyond_the_log_is_nothing(log, event, ask):
    log.append([event(number) for number in range(3)])
    with pytest.raises(BadInput) as caught:
        ask(log)
    assert caught.value.key == "audit.index"


def test_the_key_stays_out_of_the_folder(log, tmp_path):
    assert (tmp_path / "audit.key").stat().st_mode & 0o777 == 0o600
    assert files(tmp_path / "audit") == ["checkpoint"]


def test_without_its_key_a_log_does_not_go_on(log, tmp_path):
    log.close()
    (tmp_path / "audit.key").unlink()
    with pytest.raises(Broken) as caught:
        AuditLog(tmp_path / "audit")
    assert caught.value.key == "audit.key"


def test_an_altered_log_does_not_go_on(log, event, tmp_path):
    log.append([event(number) for number in range(3)])
    log.close()
    tile = tmp_path / "audit/tile/0/000.p/3"
    tile.write_bytes(bytes(96))
    with pytest.raises(Broken) as caught:
        AuditLog(tmp_path / "audit")
    assert caught.value.key == "audit.damaged"
    tile.unlink()
    with pytest.raises(Broken) as caught:
        AuditLog(tmp_path / "audit")
    assert caught.value.key == "audit.missing"


def test_a_checkpoint_rolled_back_alone_does_not_go_on(log, event, tmp_path):
    log.append([event()])
    old = log.note()
    log.append([event(1)])
    log.close()
    (tmp_path / "audit/checkpoint").write_text(old)
    with pytest.raises(Broken) as caught:
        AuditLog(tmp_path / "audit")
    assert caught.value.key == "audit.missing"


class PowerCut(BaseException):
    """The machine stops."""


@pytest.mark.parametrize("torn", [False, True], ids=["before sync", "half written"])
@pytest.mark.parametrize("at", range(1, 16))
def test_a_power_cut_loses_nothing_acknowledged(event, tmp_path, monkeypatch, at, torn):
    log = AuditLog(tmp_path / "audit")
    log.append([event(number) for number in range(250)])
    before = log.note()
    cut = cutting(at, torn)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", cut)
        with pytest.raises(PowerCut):
            append_until_cut(log, [event(number) for number in range(250, 260)])
    acknowledged = AuditReader(tmp_path / "audit").size
    log.close()
    again = AuditLog(tmp_path / "audit")
    assert again.size in (acknowledged, acknowledged + 10)
    assert list(again.events(0, 250)) == [event(number) for number in range(250)]
    again.append([event(999)])
    report = verify(tmp_path / "audit", again.verifier_key, since=before)
    assert (report.ok, report.tail) == (True, 0)
    again.close()


def append_until_cut(log, events):
    while True:
        log.append(events)


def cutting(at, torn):
    real, calls = os.fsync, iter(range(1, 1000))

    def fsync(handle):
        if next(calls) < at:
            return real(handle)
        if torn and stat.S_ISREG(os.fstat(handle).st_mode):
            os.truncate(handle, os.fstat(handle).st_size // 2)
        raise PowerCut

    return fsync


def test_a_whole_tail_is_taken_in(log, event, tmp_path):
    log.append([event(number) for number in range(250)])
    old = (tmp_path / "audit/checkpoint").read_bytes()
    kept = {tile.path: (tmp_path / "audit" / tile.path).read_bytes() for tile in tiles_of(250)}
    log.append([event(number) for number in range(250, 260)])
    log.close()
    # as a cut right before the new checkpoint leaves it
    (tmp_path / "audit/checkpoint").write_bytes(old)
    for path, data in kept.items():
        file = tmp_path / "audit" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    again = AuditLog(tmp_path / "audit")
    assert list(again.events(250)) == [event(number) for number in range(250, 260)]
    assert verify(tmp_path / "audit", again.verifier_key).ok
    again.close()


def test_a_full_disk_is_said_and_survived(log, event, tmp_path, monkeypatch):
    log.append([event(0)])

    def full(handle):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(Unavailable) as caught:
            log.append([event(1)])
    assert caught.value.key == "audit.write"
    log.append([event(2)])
    assert event(2) in list(log.events())
    assert verify(tmp_path / "audit", log.verifier_key).ok


WRITER = """
import sys
from pathlib import Path
from yunmeng.kernel.trust import AuditEvent, AuditLog
log = AuditLog(Path(sys.argv[1]))
while True:
    events = [AuditEvent(n, "p", "entity.write", "r", "allow") for n in range(37)]
    print(log.append(events).stop, flush=True)
"""


def test_killed_again_and_again(tmp_path):
    acknowledged = 0
    for round_ in range(4):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "audit")], stdout=subprocess.PIPE, text=True
        ) as writer:
            for _ in range(5 + 9 * round_):
                acknowledged = int(writer.stdout.readline())
            writer.kill()
            rest = writer.stdout.read().split("\n")[:-1]
        acknowledged = int(rest[-1]) if rest else acknowledged
        log = AuditLog(tmp_path / "audit")
        assert log.size >= acknowledged
        assert verify(tmp_path / "audit", log.verifier_key).ok
        log.close()

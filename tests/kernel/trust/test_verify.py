"""What an outsider finds: every altered byte, every missing file, rollback and forks."""

import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yunmeng.kernel.base import Broken
from yunmeng.kernel.trust import AuditLog, leaf_hash, verify

EVENTS = 300


@pytest.fixture
def small(log, event, tmp_path):
    log.append([event(number) for number in range(5)])
    return tmp_path / "audit", log.verifier_key


@pytest.fixture
def large(log, event, tmp_path):
    log.append([event(number) for number in range(EVENTS)])
    return tmp_path / "audit", log.verifier_key


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def keys(report):
    return {fault.key for fault in report.faults}


def test_a_whole_log_is_whole(large):
    report = verify(*large)
    assert (report.ok, report.size, report.tail, report.first_bad) == (True, EVENTS, 0, None)


def test_every_single_byte_matters(small):
    folder, key = small
    for file in files(folder):
        data = file.read_bytes()
        for at in range(len(data)):
            file.write_bytes(data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :])
            assert not verify(folder, key).ok, f"byte {at} of {file} may be changed"
        file.write_bytes(data)
    assert verify(folder, key).ok


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(st.data())
def test_any_change_anywhere_is_found(large, data):
    folder, key = large
    file = data.draw(st.sampled_from(files(folder)))
    whole = file.read_bytes()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    changed = whole[:start] + data.draw(st.binary(max_size=8)) + whole[end:]
    try:
        file.write_bytes(changed)
        assert verify(folder, key).ok == (changed == whole)
    finally:
        file.write_bytes(whole)


def test_every_file_is_needed(large):
    folder, key = large
    for file in files(folder):
        data = file.read_bytes()
        file.unlink()
        assert not verify(folder, key).ok, f"{file} is not missed"
        file.write_bytes(data)


def test_a_foreign_file_is_found(small):
    folder, key = small
    (folder / "tile/0/0000").write_bytes(b"")
    assert keys(verify(folder, key)) == {"audit.foreign"}


@pytest.mark.parametrize("index", [0, 1, 254, 255, 256, 299])
def test_the_first_bad_entry_is_named(large, index, log):
    folder, key = large
    entry = log.entry(index)
    file = folder / ("tile/entries/000" if index < 256 else "tile/entries/001.p/44")
    file.write_bytes(file.read_bytes().replace(entry, entry.replace(b"person:li", b"person:wu")))
    report = verify(folder, key)
    assert (report.first_bad, keys(report)) == (index, {"audit.changed"})


@pytest.mark.parametrize("index", [0, 100, 255])
def test_a_cut_bundle_names_where_it_begins_to_differ(large, index, log):
    folder, key = large
    file = folder / "tile/entries/000"
    data = file.read_bytes()
    file.write_bytes(data[: data.index(log.entry(index)) + 5])
    report = verify(folder, key)
    assert (report.first_bad, keys(report)) == (index, {"audit.damaged"})


def test_an_entry_altered_with_its_hash_is_found_one_level_up(large, log):
    folder, key = large
    entry = log.entry(40)
    changed = entry.replace(b"person:li", b"person:wu")
    for name, old, new in (("entries", entry, changed), ("0", leaf_hash(entry), leaf_hash(changed))):
        file = folder / f"tile/{name}/000"
        file.write_bytes(file.read_bytes().replace(old, new))
    report = verify(folder, key)
    assert [fault.file for fault in report.faults] == ["tile/1/000.p/1"]
    assert report.first_bad == 0


def test_a_log_rewritten_whole_lacks_the_signature(event, tmp_path, log):
    log.append([event(number) for number in range(5)])
    forged = AuditLog(tmp_path / "forged", "node-42")
    forged.append([event(number) for number in range(4, 9)])
    forged.close()
    assert keys(verify(tmp_path / "forged", log.verifier_key)) == {"audit.signature"}
    shutil.copy(tmp_path / "audit/checkpoint", tmp_path / "forged/checkpoint")
    assert keys(verify(tmp_path / "forged", log.verifier_key)) == {"audit.root"}


def test_rollback_shows_against_an_older_checkpoint(event, tmp_path, log):
    log.append([event(0), event(1)])
    shutil.copytree(tmp_path / "audit", tmp_path / "early")
    log.append([event(2)])
    seen = log.note()
    assert verify(tmp_path / "early", log.verifier_key).ok
    report = verify(tmp_path / "early", log.verifier_key, since=seen)
    assert (keys(report), report.first_bad) == ({"audit.rollback"}, 2)


def test_a_fork_shows_against_an_older_checkpoint(event, tmp_path, log):
    log.append([event(0)])
    log.close()
    for end in ("", ".key", ".vkey"):
        source, target = tmp_path / f"audit{end}", tmp_path / f"fork{end}"
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, target)
    ours, theirs = AuditLog(tmp_path / "audit"), AuditLog(tmp_path / "fork")
    ours.append([event(1)])
    seen = ours.note()
    theirs.append([event(7), event(8)])
    assert verify(tmp_path / "fork", theirs.verifier_key).ok
    assert keys(verify(tmp_path / "fork", theirs.verifier_key, since=seen)) == {"audit.forked"}
    ours.close()
    theirs.close()


@pytest.mark.parametrize("since", ["nonsense", "node-42\n0\nAAAA\n\n— node-42 AAAA\n"])
def test_the_older_checkpoint_must_be_of_this_log(small, since):
    assert keys(verify(*small, since=since)) == {"audit.since"}


def test_growth_continues_every_older_checkpoint(event, tmp_path, log):
    notes = [log.note()]
    for pack in (1, 254, 1, 1, 255):
        log.append([event(number) for number in range(pack)])
        notes.append(log.note())
    assert all(verify(tmp_path / "audit", log.verifier_key, since=note).ok for note in notes)


def test_a_key_of_another_log_does_not_fit(small, tmp_path):
    other = AuditLog(tmp_path / "other")
    assert keys(verify(small[0], other.verifier_key)) == {"audit.signature"}
    other.close()
    with pytest.raises(Broken):
        verify(small[0], "no key")


def test_files_of_an_append_under_way_are_only_counted(small):
    folder, key = small
    (folder / "tile/entries/000.p/6").write_bytes(b"half")
    report = verify(folder, key)
    assert (report.ok, report.tail) == (True, 1)

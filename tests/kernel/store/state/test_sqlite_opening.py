"""A SQLite store that is only just being made."""

from pathlib import Path

import apsw
import pytest

from yunmeng.kernel.base import Unavailable
from yunmeng.kernel.store.state.sqlite.schema import open_for_reading, open_for_writing


def test_a_file_without_tables_is_not_there_yet(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA journal_mode=WAL").fetchall()
    connection.close()
    with pytest.raises(Unavailable) as caught:
        open_for_reading(path)
    assert caught.value.key == "store.absent"
    open_for_writing(path).close()
    open_for_reading(path).close()

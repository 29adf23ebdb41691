"""What a kill between a block's token and its rows leaves behind, and that the next start mends it."""

import shutil
from pathlib import Path

import numpy as np

from yunmeng.kernel.model import ObservationBatch, Series
from yunmeng.kernel.store import HistoryBlock, HistoryServer
from yunmeng.kernel.store.history.clickhouse import ClickHouseHistory
from yunmeng.kernel.store.history.promises import strike_unkept

ROWS, T0 = 50, 1_790_000_000_000_000
METER = Series("urn:ngsi-ld:Meter:1", "https://w3id.org/yunmeng/power", "Meter", "420100")


def block(number: int) -> HistoryBlock:
    batch = ObservationBatch(
        tenant="",
        gateway="mqtt",
        received_at=T0,
        series=(METER,),
        index=np.zeros(ROWS, np.uint32),
        observed_at=T0 + number * ROWS + np.arange(ROWS),
        number=np.full(ROWS, float(number)),
        quality=np.zeros(ROWS, np.uint8),
    )
    return HistoryBlock(f"promise-{number}", [batch])


async def inserted(folder: Path, *numbers: int) -> int:
    server = HistoryServer(folder)
    await server.start()
    history = ClickHouseHistory(server.url, password=server.password)
    try:
        for number in numbers:
            await history.insert(block(number))
        return await history.count()
    finally:
        await history.close()
        await server.stop()


async def test_a_block_whose_rows_never_came_is_taken_when_it_is_sent_again(folder):
    assert await inserted(folder, 1, 2) == 2 * ROWS
    (table,) = {log.parent.parent for log in folder.glob("data/store/*/*/deduplication_logs/*.txt")}
    # as a kill leaves it: the token is noted, the part is not in place
    (part,) = table.glob("*_2_2_0")
    shutil.rmtree(part)
    assert await inserted(folder, 1, 2) == 2 * ROWS
    assert await inserted(folder, 1, 2) == 2 * ROWS


def test_a_line_cut_short_and_a_token_without_a_part_are_struck_and_the_rest_is_kept(tmp_path):
    table = tmp_path / "store" / "ab" / "abcd"
    (table / "202611_1_4_1").mkdir(parents=True)
    (table / "202610_9_9_0_12").mkdir()
    (table / "tmp_insert_202611_6_6_0").mkdir()
    log = table / "deduplication_logs" / "deduplication_log_1.txt"
    log.parent.mkdir()
    kept = "1\t202611_3_3_0\ta\n1\t202610_9_9_0\tb\n"
    log.write_text(f"{kept}1\t202611_6_6_0\tc\n1\t202611_4_4")
    assert strike_unkept(tmp_path) == 2
    assert log.read_text() == kept
    assert strike_unkept(tmp_path) == 0

"""Whatever bit of a page is wrong: no row that is read from it is another than what was stored."""

import random
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from edge_agent.damaged_file import RECORD_COLUMNS, DamagedFile
from edge_agent.store import Store
from protocols.quantity import Quality
from protocols.sync import Event, Lane, Reading, Record, Series

SEAL_AT = 9
FLIPS = 400


async def test_no_flipped_bit_makes_another_record(tmp_path: Path) -> None:
    path, chance = tmp_path / "edge.db", random.Random(5)
    series = Series("em-1", "energyImportTotal", "kWh")
    records: list[Record] = [
        Reading(series, 1_767_225_600_000 + at, Decimal(at * 17) / 100, Quality.GOOD)
        if at % 3
        else Event("alarm", "device:em-1", at, {"n": at})
        for at in range(100)
    ]
    async with await Store.open(path, "gw-1") as store:
        await store.append(Lane.BILLING, records)
    content = path.read_bytes()
    with closing(sqlite3.connect(path)) as connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(record)")]
        stored = set(connection.execute(f"SELECT {', '.join(names)} FROM record"))
        root = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'record'").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    assert (len(stored), names.index("seal")) == (100, SEAL_AT)
    lost = 0
    for _ in range(FLIPS):
        at = (root - 1) * size + chance.randrange(size)
        spoilt = bytearray(content)
        spoilt[at] ^= 1 << chance.randrange(8)
        path.write_bytes(spoilt)
        with DamagedFile(path, None, SEAL_AT) as damaged:
            found = {row.values for row in damaged.everything() if damaged.is_record(row)}
        own = {row[:RECORD_COLUMNS] for row in found}
        assert own <= {row[:RECORD_COLUMNS] for row in stored}
        lost += len(stored) - len(own)
    assert 0 < lost < FLIPS * 20, "one bit costs its own row, rarely more"

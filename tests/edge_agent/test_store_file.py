"""Every store that a released version has left opens, and keeps its records."""

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from edge_agent.store import LaneState, Store, peek_records, read_lanes
from edge_agent.store_file import find_faults, known_version
from protocols.quantity import Quality
from protocols.sync import Event, Lane, Reading, Series

DUMPS = sorted((Path(__file__).parent / "dumps").glob("*.sql"))
SCHEMA = Path(__file__).parents[2] / "edge_agent" / "schema"
EPOCH = 16102570135257832241
READINGS = [
    (3, Reading(Series("em-1", "energyImportTotal", "kWh"), 1767225602000, Decimal("20417.35"))),
    (4, Reading(Series("wm-1", "volumeTotal", "m3"), 1767225603000, None, Quality.INVALID, b"\xff\x01")),
]
ALARM = Event("alarm", "device:em-1", 1767225601000, {"state": "raised", "priority": 2})


def test_every_schema_has_its_dump() -> None:
    wanted = sorted(script.stem for script in SCHEMA.glob("[0-9]*.sql"))
    assert [dump.stem for dump in DUMPS] == wanted, "python -m scripts.edge_dumps NUMBER"


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.stem)
async def test_a_store_of_any_version_opens_and_keeps_its_records(tmp_path: Path, dump: Path) -> None:
    path = tmp_path / "edge.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(dump.read_text())
    assert peek_records(path, Lane.BILLING, 10) == READINGS, "a look from outside does not wait for the service"
    async with await Store.open(path, "gw-1") as store:
        assert (store.epoch, store.leg().is_past) == (EPOCH, False)
        assert list((await store.peek(Lane.SAFETY, 0, 10)).numbered()) == [(1, ALARM)]
        assert list((await store.peek(Lane.BILLING, 2, 10)).numbered()) == READINGS
        assert store.lanes()[Lane.BILLING][:4] == LaneState(5, 2, 2, 1767225602000)[:4]
        assert await store.append(Lane.BILLING, [READINGS[0][1]]) == 5
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (known_version(),)
    assert read_lanes(path)[Lane.BILLING].pending == 3


async def test_a_look_at_every_record_finds_the_one_that_is_another(tmp_path: Path) -> None:
    path = tmp_path / "edge.db"
    async with await Store.open(path, "gw-1") as store:
        await store.append(Lane.BILLING, [record for _, record in READINGS] * 3)
    assert find_faults(path) == []
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE record SET mantissa = mantissa + 1 WHERE seq = 3")
        connection.commit()
    assert find_faults(path) == ["record 3 of the billing lane is not what was stored"]

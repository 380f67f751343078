"""How the newest value of a series is chosen, and that what waits is found without reading the log."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects import sqlite

from central_server.live import Hub
from central_server.sync.service import authenticate, take_batch
from central_server.telemetry import block_store, store
from central_server.telemetry.expansion import Expander
from central_server.telemetry.service import history, latest_values
from protocols.sync import Reading
from tests.central_server.lake import MINUTE, NOVEMBER, Lake, batch_of, energy

NOW = NOVEMBER + 60 * MINUTE
DAY = 24 * 60 * MINUTE


class Shelf:
    """Puts readings into the database by the way every reading takes."""

    def __init__(self, lake: Lake) -> None:
        self.lake, self.count = lake, 0

    async def put(self, *readings: Reading) -> None:
        gateway = await authenticate(self.lake.db, f"Gateway gw-1:{self.lake.secret}")
        await take_batch(self.lake.db, gateway, batch_of(readings, self.count + 1))
        self.count += len(readings)
        expander = Expander(self.lake.db, Hub(), lambda: NOW)
        while await expander.expand_next():
            pass

    async def latest(self) -> int:
        (value,) = await latest_values(self.lake.db)
        assert value.value is not None
        return int(value.value)


async def test_a_late_reading_does_not_replace_a_newer_one(lake: Lake) -> None:
    shelf = Shelf(lake)
    await shelf.put(energy(NOW - MINUTE, "50"))
    await shelf.put(energy(NOW - 2 * MINUTE, "40"))
    assert await shelf.latest() == 50
    await shelf.put(energy(NOW - MINUTE, "51"))
    assert await shelf.latest() == 51, "of two of one moment the last heard"


async def test_a_reading_of_the_far_future_gives_way_to_what_is_said_afterwards(lake: Lake) -> None:
    """A gateway whose clock was wrong for a minute must not hide its values for years."""
    shelf = Shelf(lake)
    await shelf.put(energy(NOW + 3650 * DAY, "99"))
    assert await shelf.latest() == 99
    await shelf.put(energy(NOW, "50"))
    assert await shelf.latest() == 50
    assert len(await lake.rows("reading")) == 2


async def test_a_clock_a_little_ahead_is_no_reason_to_go_back(lake: Lake) -> None:
    shelf = Shelf(lake)
    await shelf.put(energy(NOW + MINUTE, "51"))
    await shelf.put(energy(NOW, "50"))
    assert await shelf.latest() == 51


async def test_of_two_readings_of_one_instant_a_chart_shows_one(lake: Lake) -> None:
    shelf = Shelf(lake)
    await shelf.put(energy(NOVEMBER, "1"), energy(NOVEMBER, "2"), energy(NOVEMBER, "9", device="em-2"))
    series = (await lake.rows("series"))[0].id
    points = await history(lake.db, series, NOVEMBER, NOVEMBER + MINUTE)
    assert [point.value for point in points] == [2]


async def plan_of(lake: Lake, ask: Any) -> list[str]:
    """Give SQLite's plan for the query that a function asks."""
    asked: list[Any] = []

    class Listening:
        dialect = sqlite.dialect()

        async def execute(self, query: Any, asked_with: Any = None) -> Any:
            asked.append(query.params(asked_with or {}))
            return await connection.execute(asked[-1])

    async with lake.db.read() as connection:
        await ask(Listening())
        sql = str(asked[0].compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
        return [str(row[-1]) for row in await connection.execute(text(f"EXPLAIN QUERY PLAN {sql}"))]


async def test_what_waits_is_found_by_an_index_and_not_by_reading_the_log(lake: Lake) -> None:
    plan = await plan_of(lake, lambda listening: store.pending_batches(listening, 8))
    assert any("ix_batch_pending" in step for step in plan), plan
    assert not any("TEMP B-TREE" in step for step in plan), plan


async def test_a_chart_reads_its_own_stretch_of_its_own_series_only(lake: Lake) -> None:
    plan = await plan_of(lake, lambda listening: block_store.bodies(listening, 1, 0, 2))
    assert plan == ["SEARCH block USING PRIMARY KEY (series_id=? AND day>? AND day<?)"]

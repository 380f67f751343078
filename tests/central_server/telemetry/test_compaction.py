"""Days that are over are joined and summed up, and late data changes them to what they would have been."""

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from central_server import schema
from central_server.db import Database
from central_server.live import Hub
from central_server.sync.service import authenticate, take_batch
from central_server.telemetry.compaction import compact_some
from central_server.telemetry.expansion import Expander
from central_server.telemetry.readings import quarters_of, readings, thinned, values_at
from protocols.quantity import Quality
from protocols.sync import Reading
from tests.central_server.blocks import kept_readings
from tests.central_server.lake import NOVEMBER, Lake, batch_of, energy, opened_lake

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
FAR = (NOVEMBER + 400 * DAY) // DAY
SPAN = (NOVEMBER - 2 * DAY, NOVEMBER + 6 * DAY)


async def feed(lake: Lake, batches: list[list[Reading]], *, compact_between: bool) -> None:
    gateway = await authenticate(lake.db, f"Gateway gw-1:{lake.secret}")
    first = 1
    for records in batches:
        await take_batch(lake.db, gateway, batch_of(records, first))
        first += len(records)
        expander = Expander(lake.db, Hub(), lambda: NOVEMBER)
        while await expander.expand_next():
            pass
        if compact_between:
            await compact_some(lake.db, FAR)


async def answers(db: Database) -> list[Any]:
    """Give what pages and bills would be told."""
    async with db.read() as connection:
        (series,) = (await connection.execute(select(schema.series.c.id))).scalars()
        marks = range(SPAN[0], SPAN[1], 7 * HOUR)
        return [
            [(row.at, row.value, row.quality) async for row in readings(connection, series, *SPAN)],
            await quarters_of(connection, series, *SPAN),
            await thinned(connection, series, *SPAN, HOUR),
            await values_at(connection, series, marks),
        ]


async def rollups(db: Database) -> list[Any]:
    async with db.read() as connection:
        rows = (
            await connection.execute(select(schema.rollup).order_by(schema.rollup.c.span, schema.rollup.c.start))
        ).all()
        return list(rows)


def some_readings(chance: random.Random) -> list[Reading]:
    found, level = [], Decimal("100.0")
    for at in sorted(chance.sample(range(NOVEMBER, NOVEMBER + 4 * DAY, 5 * MINUTE), 40)):
        level += Decimal(chance.randrange(30)) / (10 if chance.random() < 0.8 else 100)
        found.append(energy(at, str(level))._replace(quality=chance.choice([Quality.GOOD] * 5 + [Quality.SUSPECT])))
    return found


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False), st.integers(1, 6), st.booleans())
async def test_in_whatever_order_and_cut_data_comes_all_answers_are_the_same(
    tmp_path_factory: Any, chance: random.Random, parts: int, compact_between: bool
) -> None:
    records = some_readings(chance)
    mixed = chance.sample(records, len(records))
    told = []
    for batches, between in (([records], False), ([mixed[at::parts] for at in range(parts)], compact_between)):
        folder: Path = tmp_path_factory.mktemp("lake")
        async with opened_lake(folder) as lake:
            await feed(lake, batches, compact_between=between)
            before = await answers(lake.db)
            while await compact_some(lake.db, FAR):
                pass
            assert await answers(lake.db) == before, "joining changes nothing that is told"
            told.append((before, await rollups(lake.db)))
    assert told[0] == told[1]


async def test_a_day_and_a_month_are_of_the_sites_time(lake: Lake) -> None:
    """NOVEMBER is midnight in Shanghai, 16:00 of the day before in UTC."""
    ends = ((NOVEMBER - MINUTE, "10"), (NOVEMBER, "12"), (NOVEMBER + 23 * HOUR, "19"), (NOVEMBER + DAY, "20.5"))
    await feed(lake, [[energy(at, value) for at, value in ends]], compact_between=True)
    found = {(row[0], row[1]): row for row in await rollups(lake.db)}
    day = found["day", NOVEMBER]
    assert (day.count, day.exponent, day.first, day.last) == (2, 0, "12", "19")
    assert (day.first_at, day.last_at) == (NOVEMBER, NOVEMBER + 23 * HOUR)
    month = found["month", NOVEMBER]
    assert (month.count, Decimal(month.last).scaleb(month.exponent)) == (3, Decimal("20.5"))
    assert len(found) == 5, "three days and two months"


async def test_joining_keeps_every_reading_and_what_proves_it(lake: Lake) -> None:
    chance = random.Random(4)
    records = some_readings(chance)
    await feed(lake, [records[:20], records[20:]], compact_between=False)
    before = await kept_readings(lake.db)
    assert len(before) == 40
    await compact_some(lake.db, FAR)
    assert await kept_readings(lake.db) == before
    assert {row.part for row in await lake.rows("block")} == {0}

"""What meters used in a month: the same from rollups as from every reading, whatever came late."""

import random
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from central_server import schema
from central_server.live import Hub
from central_server.sync.service import authenticate, take_batch
from central_server.telemetry import use
from central_server.telemetry.compaction import compact_some
from central_server.telemetry.expansion import Expander
from central_server.telemetry.rebuild import rebuild
from central_server.telemetry.use import Ends, Mark, month_uses
from protocols.quantity import BELIEVED, Quality, from_scaled
from protocols.sync import Reading
from tests.central_server.lake import NOVEMBER, Lake, batch_of, energy

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
ZONE = ZoneInfo("Asia/Shanghai")
WANTED = select(schema.series.c.id).where(schema.series.c.point == "energyImportTotal")
OCTOBER, DECEMBER, JANUARY = (
    int(datetime(*date, tzinfo=ZONE).timestamp()) * 1000 for date in ((2026, 10, 1), (2026, 12, 1), (2027, 1, 1))
)
MONTHS = ((OCTOBER, NOVEMBER), (NOVEMBER, DECEMBER), (DECEMBER, JANUARY))
EDGES = [NOVEMBER, DECEMBER, NOVEMBER - 1, DECEMBER + 1, NOVEMBER + 8 * HOUR, DECEMBER - 16 * HOUR]


async def send(lake: Lake, records: list[Reading], first: int, now: int = JANUARY) -> int:
    gateway = await authenticate(lake.db, f"Gateway gw-1:{lake.secret}")
    await take_batch(lake.db, gateway, batch_of(records, first))
    expander = Expander(lake.db, Hub(), lambda: now)
    while await expander.expand_next():
        pass
    return first + len(records)


async def join(lake: Lake, now: int) -> None:
    while await compact_some(lake.db, (now - HOUR) // DAY):
        pass


async def told(lake: Lake, start: int, now: int) -> dict[int, Ends]:
    async with lake.db.read() as connection:
        return await month_uses(connection, WANTED, start, ZONE, now)


async def counted(lake: Lake, start: int, end: int) -> dict[int, tuple[Any, ...]]:
    """Find the same by going through every reading there is."""
    found: dict[int, list[Mark]] = {}
    for row in sorted(await lake.rows("reading"), key=lambda row: (row.taken_at, row.batch_id, row.seq)):
        if row.taken_at <= end and row.mantissa is not None and row.quality in BELIEVED:
            found.setdefault(row.series_id, []).append(Mark(row.taken_at, from_scaled(row.mantissa, row.exponent)))
    ends = {}
    for key, marks in found.items():
        opening = [mark for mark in marks if mark.at <= start][-1:] or [mark for mark in marks if mark.at > start]
        first = [mark for mark in opening if mark.at == opening[0].at][-1]
        ends[key] = Ends(first, marks[-1])
    return ends


def some_readings(chance: random.Random, until: int) -> list[Reading]:
    """Give a few readings of a few meters, many of them on the edges of months and days."""
    found = []
    for _ in range(chance.randrange(1, 9)):
        at = chance.choice([*EDGES, chance.randrange(OCTOBER - 20 * DAY, JANUARY) // HOUR * HOUR])
        quality = chance.choice([Quality.GOOD] * 4 + [Quality.SUBSTITUTED, Quality.SUSPECT])
        value = format(Decimal(chance.randrange(1000)).scaleb(-chance.randrange(3)), "f")
        if at <= until:
            meter = f"em-{chance.randrange(6)}"
            found.append(energy(at, value if chance.random() < 0.9 else None, meter, quality))
    return found or [energy(OCTOBER - 90 * DAY, "1", "em-7")]


@pytest.mark.parametrize("seed", [2, 3])
async def test_the_use_of_a_month_is_that_of_its_readings_whatever_came_late(lake: Lake, seed: int) -> None:
    chance, first, now = random.Random(seed), 1, NOVEMBER + 20 * DAY
    for step in range(14):
        now = min(now + chance.randrange(4 * DAY), JANUARY - 1)
        first = await send(lake, some_readings(chance, now), first, now)
        if chance.random() < 0.4:
            await join(lake, now)
        for start, end in MONTHS:
            found = await told(lake, start, now)
            expected = await counted(lake, start, end)
            known = {key: ends.use for key, ends in expected.items() if ends.use is not None}
            assert {key: each.use for key, each in found.items() if each.use is not None} == known, (step, start)
            for key in known:
                assert found[key] == expected[key], (step, start)


async def test_late_data_of_one_day_is_read_and_nothing_else(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    days = [*range(-3, 3), 9, *range(28, 33)]
    meters = [f"em-{number}" for number in range(4)]
    records = [energy(NOVEMBER + day * DAY + HOUR, str(1000 + 10 * day), meter) for meter in meters for day in days]
    first = await send(lake, records, 1)
    await join(lake, JANUARY)
    asked: list[int] = []
    read = use.ends_of

    async def seen(connection: Any, series_id: int, *more: int) -> Ends:
        asked.append(series_id)
        return await read(connection, series_id, *more)

    monkeypatch.setattr(use, "ends_of", seen)
    assert {each.use for each in (await told(lake, NOVEMBER, JANUARY)).values()} == {Decimal(300)}
    first = await send(lake, [energy(NOVEMBER + 9 * DAY, "1085", "em-1")], first)
    assert {each.use for each in (await told(lake, NOVEMBER, JANUARY)).values()} == {Decimal(300)}
    assert asked == [], "neither end of the month can be in a day between them"
    await send(lake, [energy(DECEMBER - MINUTE, "1299.5", "em-2")], first)
    uses = [each.use for each in (await told(lake, NOVEMBER, JANUARY)).values()]
    assert (sorted(map(str, uses)), len(asked)) == (["300", "300", "300", "309.5"], 1)


async def test_the_running_month_goes_up_to_the_newest_value(lake: Lake) -> None:
    now = NOVEMBER + 10 * DAY + 12 * HOUR
    first = await send(lake, [energy(NOVEMBER - HOUR, "100"), energy(NOVEMBER + DAY, "104")], 1, now)
    await join(lake, now)
    await send(lake, [energy(now - MINUTE, "117.25")], first, now)
    (ends,) = (await told(lake, NOVEMBER, now)).values()
    assert (ends.use, ends.opening) == (Decimal("17.25"), Mark(NOVEMBER - HOUR, Decimal(100)))


async def test_a_rebuild_changes_nothing_of_it(lake: Lake) -> None:
    await send(lake, [energy(NOVEMBER + day * DAY, str(500 + day), "em-1") for day in range(-35, 35)], 1)
    await join(lake, JANUARY)
    before = await told(lake, NOVEMBER, JANUARY)
    await rebuild(lake.db)
    assert await told(lake, NOVEMBER, JANUARY) == before

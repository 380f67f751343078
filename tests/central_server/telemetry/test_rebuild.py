"""What was packed is made anew from the log, and nobody is told anything else meanwhile or afterwards."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from central_server import schema
from central_server.billing.reading_store import last_good
from central_server.errors import BadRequest
from central_server.live import Hub
from central_server.sync.service import authenticate, take_batch
from central_server.telemetry import manual
from central_server.telemetry.compaction import compact_some
from central_server.telemetry.expansion import Expander
from central_server.telemetry.manual import Meter
from central_server.telemetry.readings import quarters_of, readings
from central_server.telemetry.rebuild import rebuild
from protocols.sync import Lane
from tests.central_server.blocks import put_reading
from tests.central_server.lake import NOVEMBER, Lake, alarm, batch_of, energy

HOUR = 3_600_000
DAY = 24 * HOUR
SPAN = (NOVEMBER - DAY, NOVEMBER + 5 * DAY)
FAR = (NOVEMBER + 400 * DAY) // DAY


@pytest.fixture
async def read_lake(lake: Lake) -> Lake:
    """Three days of a meter, one of them late, an alarm, and what a person read in between."""
    gateway = await authenticate(lake.db, f"Gateway gw-1:{lake.secret}")
    days = [
        [energy(NOVEMBER + day * DAY + hour * HOUR, f"{day * 24 + hour}.5") for hour in range(24)] for day in (0, 2, 1)
    ]
    for number, records in enumerate(days):
        await take_batch(lake.db, gateway, batch_of(records, 1 + 24 * number))
    await take_batch(lake.db, gateway, batch_of([alarm("raised", NOVEMBER, NOVEMBER)], 1, Lane.SAFETY))
    await expand(lake)
    async with lake.db.write() as connection:
        meter = Meter("gw-1", "em-1", "energyImportTotal", "kWh")
        series = await manual.series_of(connection, 1, meter, NOVEMBER)
        assert series is not None
        await manual.note_reading(connection, 1, meter, series, Decimal("71.9"), NOVEMBER + 3 * DAY, NOVEMBER)
    while await compact_some(lake.db, FAR):
        pass
    return lake


async def expand(lake: Lake, times: int = 1000) -> None:
    expander = Expander(lake.db, Hub(), lambda: NOVEMBER)
    while times and await expander.expand_next():
        times -= 1


async def answers(lake: Lake) -> list[Any]:
    async with lake.db.read() as connection:
        found: list[Any] = []
        for series in (await connection.execute(select(schema.series.c.id))).scalars():
            found.append([row async for row in readings(connection, series, *SPAN)])
            found.append(await quarters_of(connection, series, *SPAN))
            found.append(await last_good(connection, series, *SPAN))
        return found


async def all_of(lake: Lake) -> list[Any]:
    tables = ("device", "series", "latest", "event", "alarm", "block", "quarter", "rollup")
    return [*await answers(lake), *[sorted(map(tuple, await lake.rows(name))) for name in tables]]


async def rebuild_killed(lake: Lake, monkeypatch: pytest.MonkeyPatch, edge_id: str | None = None) -> None:
    """Begin a rebuild and end it before the first batch."""

    async def killed(_: Expander) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Expander, "expand_next", killed)
        with pytest.raises(KeyboardInterrupt):
            await rebuild(lake.db, edge_id)


async def test_all_is_the_same_afterwards_whoever_asks(read_lake: Lake) -> None:
    before = await all_of(read_lake)
    assert "manual-1" in str(before), "a person's reading is the meter's last"
    for edge_id, site in ((None, None), ("gw-1", None), ("manual-1", None), (None, "lake")):
        await rebuild(read_lake.db, edge_id, site)
        while await compact_some(read_lake.db, FAR):
            pass
        assert await all_of(read_lake) == before


async def test_a_rebuild_that_was_killed_goes_on_and_is_right_at_every_step(
    read_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, told = await all_of(read_lake), await answers(read_lake)
    await rebuild_killed(read_lake, monkeypatch)
    assert await answers(read_lake) == told
    await expand(read_lake, 1)
    await compact_some(read_lake.db, FAR)
    assert await answers(read_lake) == told, "the centre that runs joins nothing too early"
    await rebuild(read_lake.db)
    assert await answers(read_lake) == told
    while await compact_some(read_lake.db, FAR):
        pass
    assert await all_of(read_lake) == before


async def test_what_the_log_does_not_hold_is_gone_afterwards(read_lake: Lake) -> None:
    before = await all_of(read_lake)
    async with read_lake.db.write() as connection:
        for at in (NOVEMBER + HOUR + 1, NOVEMBER + 4 * DAY):
            await put_reading(
                connection, series_id=1, taken_at=at, mantissa=9, exponent=0, quality=0, batch_id=1, seq=999
            )
    await compact_some(read_lake.db, FAR)
    assert await all_of(read_lake) != before
    await rebuild(read_lake.db)
    while await compact_some(read_lake.db, FAR):
        pass
    assert await all_of(read_lake) == before


async def test_one_gateways_rebuild_that_was_killed_does_not_keep_another_from_its_own(
    read_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    for edge_id, secret, first in (("gw-1", read_lake.secret, 73), ("gw-2", await read_lake.invite("gw-2"), 1)):
        gateway = await authenticate(read_lake.db, f"Gateway {edge_id}:{secret}")
        await take_batch(read_lake.db, gateway, batch_of([energy(NOVEMBER + 4 * DAY, "99")], first, edge_id=edge_id))
    await expand(read_lake)
    told = await answers(read_lake)
    await rebuild_killed(read_lake, monkeypatch, "gw-1")
    await expand(read_lake, 2)
    assert min(row.part for row in await read_lake.rows("block")) < 0, "old and new stand beside each other"
    async with read_lake.db.write() as connection:
        false = {"mantissa": 9, "exponent": 0, "quality": 0, "batch_id": 1, "seq": 999}
        await put_reading(connection, series_id=2, taken_at=NOVEMBER + HOUR, **false)
    await rebuild(read_lake.db)
    assert await answers(read_lake) == told


async def test_a_dry_run_counts_and_changes_nothing_and_strangers_are_named(read_lake: Lake) -> None:
    before = await read_lake.rows("block")
    assert (await rebuild(read_lake.db, is_dry=True)).batches == 5
    assert await read_lake.rows("block") == before
    with pytest.raises(BadRequest, match="gw-9"):
        await rebuild(read_lake.db, "gw-9")
    with pytest.raises(BadRequest, match="elsewhere"):
        await rebuild(read_lake.db, None, "elsewhere")

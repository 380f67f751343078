"""A store over its quota sheds in order, tells each record that goes, and the rest arrives."""

import sqlite3
import time
from collections import Counter
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from edge_agent.history import read_history
from edge_agent.shedding import Shedding
from edge_agent.store import Store, StoreFull, read_lanes
from edge_agent.store_file import find_faults
from edge_agent.thinned import read_tally
from protocols.record import Event, Lane, Reading, Series

START = 1_793_462_400_000
POWER = [Series(f"em-{number}", "powerActive", "W") for number in range(5)]
ENERGY = Series("em-0", "energyImportTotal", "kWh")


def powers(first: int, count: int) -> list[Reading]:
    """Give a reading every ten seconds of each of five meters."""
    return [Reading(POWER[n % 5], START + n // 5 * 10_000, Decimal(n)) for n in range(first, first + count)]


class Told:
    def __init__(self) -> None:
        self.conditions: dict[str, bool] = {}
        self.raised: list[str] = []

    async def __call__(self, condition: str, is_on: bool, detail: dict[str, Any]) -> None:
        self.conditions[condition] = is_on
        self.raised += [condition] * is_on


def keeper(store: Store, quota: int, told: Told) -> Shedding:
    return Shedding(store, quota, told, lambda: START, in_hand=100)


async def everything(store: Store, lane: Lane) -> dict[int, Any]:
    found: dict[int, Any] = {}
    after = 0
    while True:
        peek = await store.peek(lane, after, 5000)
        if not peek.records:
            return found
        found.update(peek.numbered())
        after = max(found)


async def test_telemetry_is_thinned_and_dropped_with_tombstones_and_nothing_else_goes(tmp_path: Path) -> None:
    path = tmp_path / "edge.db"
    told = Told()
    async with await Store.open(path, "gw-1") as store:
        await store.append(Lane.TELEMETRY, powers(0, 20_000))
        bills = [Reading(ENERGY, START + n, Decimal(n)) for n in range(500)]
        await store.append(Lane.BILLING, bills)
        alarm = Event("alarm", "device:em-1", START, {"n": 1})
        await store.append(Lane.SAFETY, [alarm])
        before = await everything(store, Lane.TELEMETRY)
        shedding = keeper(store, 1, told)  # it can never be kept, so all is tried
        seen = []
        while await shedding.look():
            seen.append(shedding.percent)
        kept = await everything(store, Lane.TELEMETRY)
        stones = [record.body for record in (await store.peek(Lane.CONTROL, 0, 5000)).records]
        gone = set(before) - set(kept)
        assert all(kept[seq] == before[seq] for seq in kept)
        assert sum(stone["lost"] for stone in stones) == len(gone)
        assert all(any(stone["from_seq"] <= seq <= stone["to_seq"] for stone in stones) for seq in gone)
        assert Counter(stone["reason"].split()[0] for stone in stones).keys() == {"thinned", "dropped"}
        assert {seq for seq in before if seq <= 100} <= set(kept), "what the uplink may have in its hands stays"
        assert list((await everything(store, Lane.BILLING)).values()) == bills
        assert (await store.peek(Lane.SAFETY, 0, 5)).records == (alarm,)
        assert told.conditions["store_full"]
    assert find_faults(path) == []
    assert read_tally(path) == {Lane.TELEMETRY: (len(stones), len(gone))}
    async with await Store.open(path, "gw-1") as store:
        assert store.epoch is not None
        assert await everything(store, Lane.TELEMETRY) == kept, "a thinned lane is no damage"
        await store.ack(Lane.TELEMETRY, max(kept))
        assert store.lanes()[Lane.TELEMETRY].pending == 0


async def test_a_gap_that_nobody_told_of_is_still_damage(tmp_path: Path) -> None:
    path = tmp_path / "edge.db"
    told = Told()
    async with await Store.open(path, "gw-1") as store:
        await store.append(Lane.TELEMETRY, powers(0, 3000))
        shedding = keeper(store, await store.used_bytes() * 2, told)
        assert not await shedding.look()
        assert told.conditions == {}
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM record WHERE lane = 3 AND seq = 1500")
    async with await Store.open(path, "gw-1") as store:
        with pytest.raises(Exception, match="record 1500 of the telemetry lane is missing"):
            await everything(store, Lane.TELEMETRY)


async def test_history_goes_first_and_levels_are_told_and_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "edge.db"
    told = Told()
    async with await Store.open(path, "gw-1") as store:
        now = time.time_ns() // 1_000_000
        fresh = [reading._replace(taken_at=now - 1000 + n) for n, reading in enumerate(powers(0, 8000))]
        await store.append(Lane.TELEMETRY, fresh)
        await store.ack(Lane.TELEMETRY, 7900)
        assert len(read_history(path, "em-1", None, 0, 9999)) == 1600
        shown = read_history(path, "em-1", "powerActive", now, 10)
        assert [(row.value, row.unit, row.is_sent) for row in shown[:1]] == [(Decimal(7996), "W", False)]
        shedding = keeper(store, int(await store.used_bytes() / 0.9), told)
        while await shedding.look():
            pass
        assert told.raised == ["store_filling", "store_nearly_full"]
        assert len(read_history(path, "em-1", None, 0, 9999)) < 1600
        assert read_tally(path) == {}, "nothing that waits has gone"
        await keeper(store, 10**9, told).look()
    assert read_lanes(path)[Lane.TELEMETRY].pending == 100


async def test_over_the_quota_telemetry_is_refused_and_registers_are_not(tmp_path: Path) -> None:
    told = Told()
    async with await Store.open(tmp_path / "edge.db", "gw-1") as store:
        await store.append(Lane.BILLING, [Reading(ENERGY, START + n, Decimal(n)) for n in range(5000)])
        shedding = keeper(store, await store.used_bytes() // 2, told)
        while await shedding.look():
            pass
        with pytest.raises(StoreFull, match="reached its quota"):
            await store.append(Lane.TELEMETRY, powers(0, 1))
        await store.append(Lane.BILLING, [Reading(ENERGY, START, Decimal(1))])
        await keeper(store, 10**9, told).look()
        await store.append(Lane.TELEMETRY, powers(0, 1))


@pytest.mark.parametrize("acked", [0, 900, 5300])
async def test_what_was_told_is_not_told_again_when_the_damaged_store_is_salvaged(tmp_path: Path, acked: int) -> None:
    path = tmp_path / "edge.db"
    async with await Store.open(path, "gw-1") as store:
        last = await store.append(Lane.TELEMETRY, powers(0, 20_000))
        await store.set_aside(Lane.TELEMETRY, last - 5, "unknown point", START)
        shedding = keeper(store, 1, Told())
        for _ in range(3):
            await shedding.look()
        before = await everything(store, Lane.TELEMETRY)
        assert store.lanes()[Lane.TELEMETRY].pending == len(before) + 1, "what was thinned away waits no more"
        if acked:
            await store.ack(Lane.TELEMETRY, max(seq for seq in before if seq <= acked))
    sent = {seq for seq in before if acked and seq <= acked}
    for turn in range(2):  # a second salvage does not tell again what the first has told
        spoil(path, before, [700 + turn, 6200 + turn, 19_000 + turn])
        path.with_name("edge.db.unsound").write_text("as the service notes it")
        async with await Store.open(path, "gw-1") as store:
            after = await everything(store, Lane.TELEMETRY)
            stones = [record.body for record in (await store.peek(Lane.CONTROL, 0, 5000)).records]
            assert store.lanes()[Lane.TELEMETRY].pending in (len(after), len(after) + 1)
        assert len(before) - len(sent) - len(after) >= turn + 1, "something was damaged"
        assert sum(stone["lost"] for stone in stones) + len(sent) + len(after) == 20_000, (
            "accepted = sent + told + waiting"
        )
    assert {lane: state.pending for lane, state in read_lanes(path).items()} == {
        lane: state.pending for lane, state in store.lanes().items()
    }


def spoil(path: Path, known: dict[int, Any], wanted: list[int]) -> None:
    """Change the values of records behind the store's back."""
    with closing(sqlite3.connect(path)) as other:
        for seq in wanted:
            query = "SELECT seq FROM record WHERE lane = 3 AND seq >= ? ORDER BY seq LIMIT 1"
            (found,) = other.execute(query, (seq,)).fetchone()
            assert found in known
            other.execute("UPDATE record SET mantissa = mantissa + 1 WHERE lane = 3 AND seq = ?", (found,))
        other.commit()

"""Records that the centre refuses for good: set aside with a tombstone, listed, and sent again."""

import asyncio
import json
import time
from decimal import Decimal
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.quarantine import read_quarantine
from edge_agent.store import Store, StoreError
from protocols.quantity import Quality
from protocols.sync import Event, Lane, Reading, Record, Series, decode_batch
from tests.edge_agent.test_uplink import Centre, error, running

POWER = Series("em-1", "powerTotal", "W")


def readings(*numbers: int) -> list[Record]:
    return [Reading(POWER, number, Decimal(number) / 4) for number in numbers]


class Picky(Centre):
    """A centre that refuses some values for good, and takes batches with numbers missing."""

    def __init__(self, poison: set[int]) -> None:
        super().__init__()
        self.poison = poison
        self.marks = dict.fromkeys(Lane, 0)

    def take(self, body: bytes) -> web.Response:
        batch = decode_batch(body)
        if any(isinstance(record, Reading) and record.taken_at in self.poison for record in batch.records):
            return error(400, "sync_broken_batch", kind="format", detail="no")
        mark = self.marks[batch.lane]
        if batch.first_seq > mark + 1:
            return error(409, "sync_gap", expected=mark + 1)
        self.kept[batch.lane] += [record for seq, record in batch.numbered() if seq > mark]
        self.marks[batch.lane] = max(mark, batch.last_seq)
        return web.json_response({"acked": self.marks[batch.lane]})

    def values(self, lane: Lane) -> list[int]:
        return [record.taken_at for record in self.kept[lane] if isinstance(record, Reading)]

    def tombstones(self) -> list[tuple[int, int, str]]:
        told = [record.body for record in self.kept[Lane.CONTROL] if isinstance(record, Event)]
        return [(body["lane"], body["from_seq"], body["reason"]) for body in told]


async def until(centre: Picky, lane: Lane, count: int, stones: int) -> None:
    async with asyncio.timeout(10):
        while len(centre.kept[lane]) < count or len(centre.kept[Lane.CONTROL]) < stones:
            await asyncio.sleep(0.01)


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 60), st.sets(st.integers(1, 60), max_size=3), st.sampled_from([Lane.BILLING, Lane.TELEMETRY]))
def test_whatever_is_poison_everything_else_arrives_and_the_sum_is_right(
    tmp_path_factory: pytest.TempPathFactory, count: int, poison: set[int], lane: Lane
) -> None:
    path = tmp_path_factory.mktemp("edge") / "edge.db"
    bad = sorted(poison.intersection(range(1, count + 1)))

    async def run() -> None:
        centre = Picky(poison)
        await centre.start()
        async with await Store.open(path, "gw-1", window_s=0.005) as store:
            await store.append(lane, readings(*range(1, count + 1)))
            async with running(centre, store):
                await until(centre, lane, count - len(bad), len(bad))
        await centre.stop()
        assert centre.values(lane) == [number for number in range(1, count + 1) if number not in bad]
        assert sorted(centre.tombstones()) == [(int(lane), seq, "quarantined") for seq in bad]
        assert [each.seq for each in read_quarantine(path)] == bad

    asyncio.run(run())


async def test_a_restart_keeps_it_aside_and_another_try_sends_it_as_a_new_record(tmp_path: Path) -> None:
    path, centre = tmp_path / "edge.db", Picky({2})
    await centre.start()
    async with await Store.open(path, "gw-1", window_s=0.005) as store:
        await store.append(Lane.BILLING, readings(1, 2, 3))
        async with running(centre, store):
            await until(centre, Lane.BILLING, 2, 1)
    centre.poison = set()
    async with await Store.open(path, "gw-1", window_s=0.005) as store:
        (aside,) = read_quarantine(path)
        assert (aside.lane, aside.seq, aside.record["value"]) == (Lane.BILLING, 2, "0.5")
        assert "sync_broken_batch" in aside.reason
        await store.append(Lane.BILLING, readings(4))
        with pytest.raises(StoreError, match="no record 9 is set aside"):
            await store.put_back(9)
        await store.put_back()
        assert read_quarantine(path) == []
        async with running(centre, store):
            await until(centre, Lane.BILLING, 4, 1)
    await centre.stop()
    assert centre.values(Lane.BILLING) == [1, 3, 4, 2]


async def test_what_comes_back_is_what_it_was(tmp_path: Path) -> None:
    odd = [
        Reading(POWER, -5, None, Quality.INVALID, b"\xff\xfe"),
        Reading(POWER, 7, Decimal("-0.00"), Quality.FROZEN),
    ]
    event = Event("alarm", "door:1", 3, {"文": [1, None, {"x": "é"}]})
    async with await Store.open(tmp_path / "edge.db", "gw-1", window_s=0.005) as store:
        await store.append(Lane.BILLING, odd)
        await store.append(Lane.SAFETY, [event])
        for lane, seq in ((Lane.BILLING, 1), (Lane.BILLING, 2), (Lane.SAFETY, 1)):
            await store.set_aside(lane, seq, "no", 1)
            await store.set_aside(lane, seq, "no", 1)
        assert (await store.peek(Lane.BILLING, 0, 10)).records == ()
        assert store.lanes()[Lane.CONTROL].pending == 3, "one tombstone each, however often it is said"
        await store.put_back()
        assert list((await store.peek(Lane.BILLING, 0, 10)).records) == odd
        assert (await store.peek(Lane.SAFETY, 0, 10)).records == (event,)


async def test_the_newest_values_are_shown_while_a_backlog_waits(tmp_path: Path) -> None:
    centre, shown = Picky(set()), []

    async def take_snapshot(request: web.Request) -> web.Response:
        shown.extend(json.loads(await request.read())["values"])
        return web.json_response({"server_time": time.time_ns() // 1_000_000})

    centre.instead = lambda _request: busy()

    async def busy() -> web.StreamResponse:
        return error(503, "sync_busy", {"Retry-After": "60"})

    centre.extra = [("/api/v1/sync/live", take_snapshot)]
    await centre.start()
    async with await Store.open(tmp_path / "edge.db", "gw-1", window_s=0.005) as store:
        await store.append(Lane.TELEMETRY, readings(*range(1, 50)))
        async with running(centre, store), asyncio.timeout(5):
            while not shown:
                await asyncio.sleep(0.01)
    await centre.stop()
    assert shown[0][:2] + shown[0][4:] == ["em-1", "powerTotal", "12.25", 0]

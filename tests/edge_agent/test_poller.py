"""A line is asked on its grid, and what it answered is stored before it is shown."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from drivers.access.modbus import ModbusDoor
from drivers.base import Options, PointValue
from drivers.bus.settings import TcpSettings
from drivers.factory import create_bus, create_driver
from drivers.profile import load_profile
from edge_agent.config import Device
from edge_agent.guard_keeper import Key
from edge_agent.live import DeviceLive, new_live
from edge_agent.poller import Poller
from edge_agent.recorder import Recorder
from edge_agent.store import Store, StoreFull
from protocols.sync import Event, Lane, Reading, Record
from tests.drivers.peer import Reply, eventually, tcp_peer

DOOR = Device("door-1", "door-1", "tcp-1", load_profile("access/modbus-door"), "1", 0.1, ("doorState",))


def open_door(request: bytes) -> Reply:
    """Answer a read of discrete inputs with ones."""
    count = request[11]
    body = bytes((request[6], request[7], 1, (1 << count) - 1))
    return [(0.0, request[:4] + len(body).to_bytes(2, "big") + body)]


def refuse(request: bytes) -> Reply:
    return [(0.0, request[:4] + bytes((0, 3, request[6], request[7] | 0x80, 2)))]


def silence(_request: bytes) -> Reply:
    return []


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with await Store.open(tmp_path / "edge.db", "gw-1") as found:
        yield found


@asynccontextmanager
async def polled(
    store: Store, answer: Callable[[bytes], Reply], period_s: float = DOOR.period_s
) -> AsyncIterator[tuple[DeviceLive, Poller]]:
    async with tcp_peer(answer) as port:
        bus = create_bus(TcpSettings("tcp-1", "127.0.0.1", port, 0.1))
        live = new_live((replace(DOOR, period_s=period_s),))
        drivers = {DOOR.id: create_driver(DOOR.profile, bus, DOOR.address)}
        poller = Poller(bus, drivers, live, Recorder(store, "gw-1"), 0.1)
        tasks = [asyncio.create_task(bus.run()), asyncio.create_task(poller.run())]
        try:
            yield live[DOOR.id], poller
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def alarms(store: Store) -> list[tuple[str, str]]:
    records = (await store.peek(Lane.SAFETY, 0, 100)).records
    return [(record.body["condition"], record.body["state"]) for record in records if isinstance(record, Event)]


async def test_values_are_stored_and_shown(store: Store) -> None:
    async with polled(store, open_door) as (live, poller):
        await eventually(lambda: "doorState" in live.values)
        assert live.state == "ok"
        assert store.lanes()[Lane.TELEMETRY].pending >= 1
        await eventually(lambda: store.lanes()[Lane.TELEMETRY].pending >= 4)
        assert poller.as_json()["state"] == "up"
        assert poller.as_json()["nominal_ms"] == 100


async def test_nothing_is_shown_before_it_is_stored(store: Store) -> None:
    gate = asyncio.Event()
    asked: list[bytes] = []

    def count(request: bytes) -> Reply:
        asked.append(request)
        return open_door(request)

    class SlowStore(Recorder):
        async def _append(self, lane: Lane, readings: Sequence[Reading], notes: Mapping[Key, str]) -> Sequence[Reading]:
            await gate.wait()
            return await super()._append(lane, readings, notes)

    async with tcp_peer(count) as port:
        bus = create_bus(TcpSettings("tcp-1", "127.0.0.1", port, 0.1))
        live = new_live((DOOR,))
        drivers = {DOOR.id: create_driver(DOOR.profile, bus, DOOR.address)}
        poller = Poller(bus, drivers, live, SlowStore(store, "gw-1"), 0.1)
        tasks = [asyncio.create_task(bus.run()), asyncio.create_task(poller.run())]
        await eventually(lambda: len(asked) >= 3)  # the line goes on being asked while the store is slow
        assert live[DOOR.id].values == {}
        gate.set()
        await eventually(lambda: "doorState" in live[DOOR.id].values)
        await eventually(lambda: store.lanes()[Lane.TELEMETRY].pending >= 3)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_the_store_refused_is_not_shown_and_polling_goes_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_lane: Lane, _records: Sequence[Record], _notes: object = None) -> int:
        raise StoreFull("the disk is full. Make room.")

    with monkeypatch.context() as disk:
        disk.setattr(store, "append", full)
        async with polled(store, open_door) as (live, _):
            await asyncio.sleep(0.4)
            assert live.values == {}
            assert live.state == "unknown"
            disk.undo()
            await eventually(lambda: live.state == "ok")


async def test_a_lost_answer_is_asked_for_once_more_where_the_line_has_time(store: Store) -> None:
    asked: list[bytes] = []

    def lose_first(request: bytes) -> Reply:
        asked.append(request)
        return silence(request) if len(asked) == 1 else open_door(request)

    async with polled(store, lose_first, period_s=3600) as (live, _):
        await eventually(lambda: "doorState" in live.values)
        assert (len(asked), live.failures, live.state) == (2, 0, "ok")


async def test_where_the_line_has_no_time_a_lost_answer_waits_for_the_next_slot(store: Store) -> None:
    asked: list[bytes] = []

    def lose(request: bytes) -> Reply:
        asked.append(request)
        return silence(request)

    async with polled(store, lose) as (live, _):
        await eventually(lambda: live.state == "offline")
        assert len(asked) == 3, "one request for each failure that opens the breaker"


async def test_a_silent_device_goes_offline_with_one_alarm(store: Store) -> None:
    async with polled(store, silence) as (live, _):
        await eventually(lambda: live.state == "offline")
        await asyncio.sleep(0.3)
    assert await alarms(store) == [("device_offline", "raised")]
    assert store.lanes()[Lane.TELEMETRY].pending == 0


async def test_a_device_that_refuses_is_there_and_says_why(store: Store) -> None:
    async with polled(store, refuse) as (live, _):
        await eventually(lambda: live.error is not None)
        assert live.breaker.state.value == "closed"
        assert "exception 2" in (live.error or "") or "illegal data address" in (live.error or "")
    assert await alarms(store) == []


async def test_a_fault_of_ours_in_one_device_leaves_its_neighbours_alone(store: Store) -> None:
    def garble(request: bytes) -> Reply:
        return open_door(request) if request[6] == 1 else silence(request)

    class Faulty(ModbusDoor):
        async def read(self, *_: object, **__: object) -> list[PointValue]:
            raise ZeroDivisionError

    other = replace(DOOR, id="door-2", address="2")
    async with tcp_peer(garble) as port:
        bus = create_bus(TcpSettings("tcp-1", "127.0.0.1", port, 0.1))
        live = new_live((DOOR, other))
        drivers = {
            DOOR.id: create_driver(DOOR.profile, bus, DOOR.address),
            other.id: Faulty(other.profile, bus, other.address, Options()),
        }
        poller = Poller(bus, drivers, live, Recorder(store, "gw-1"), 0.1)
        tasks = [asyncio.create_task(bus.run()), asyncio.create_task(poller.run())]
        await eventually(lambda: live[other.id].state == "offline")
        await eventually(lambda: store.lanes()[Lane.TELEMETRY].pending >= 4)
        assert live[DOOR.id].state == "ok"
        assert "fault in this program" in (live[other.id].error or "")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

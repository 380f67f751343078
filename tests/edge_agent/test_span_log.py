"""The store remembers in which of the clock's stretches each record was stamped."""

from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from edge_agent.clock import EARLIEST_MS
from edge_agent.machine_clock import Clocks
from edge_agent.span_log import load_stretches
from edge_agent.store import Store
from edge_agent.store_file import connect
from protocols.record import Lane, Reading, Series
from protocols.sync import Batch, ClockSpan

NOW = EARLIEST_MS + 86_400_000
ENERGY = Series("em-1", "energyImportTotal", "kWh")


class Machine:
    """A machine's clocks, set by the test."""

    def __init__(self, wall_ms: int, mono_ms: int = 10_000, boot: str = "first") -> None:
        self.clocks = Clocks(boot, wall_ms, mono_ms)

    def look(self) -> Clocks:
        return self.clocks

    def wait(self, ms: int, jump_ms: int = 0) -> None:
        boot, wall, mono = self.clocks
        self.clocks = Clocks(boot, wall + ms + jump_ms, mono + ms)

    def reading(self, ago_ms: int = 0) -> Reading:
        return Reading(ENERGY, self.clocks.wall_ms - ago_ms, Decimal(1))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "edge.db"


async def true_instants(store: Store) -> list[int]:
    peek = await store.peek(Lane.BILLING, 0, 100)
    batch = Batch("gw-1", store.epoch, Lane.BILLING, peek.first_seq, peek.records, clocks=peek.clocks)
    return [record.taken_at for _, record in batch.stamped() if isinstance(record, Reading)]


async def test_readings_of_1970_are_put_right_when_the_clock_is_set_and_over_a_restart(path: Path) -> None:
    machine = Machine(wall_ms=5_000)
    async with await Store.open(path, "gw-1", look=machine.look) as store:
        await store.append(Lane.BILLING, [machine.reading()])
        peek = await store.peek(Lane.BILLING, 0, 10)
        assert peek.clocks == (ClockSpan(1, "first", -5_000, None),)
        machine.wait(60_000, jump_ms=NOW)
        late = machine.reading(ago_ms=300)._replace(taken_at=5_000 + 59_700)  # read before the jump, stored after it
        await store.append(Lane.BILLING, [late, machine.reading()])
    async with await Store.open(path, "gw-1", look=machine.look) as store:
        true = NOW + 65_000
        assert await true_instants(store) == [true - 60_000, true - 300, true]


async def test_the_centres_time_puts_a_stretch_right_that_was_believed(path: Path) -> None:
    machine = Machine(wall_ms=NOW)
    async with await Store.open(path, "gw-1", look=machine.look) as store:
        await store.append(Lane.BILLING, [machine.reading()])
        await store.prove_clock(3_600_000)
        await store.append(Lane.BILLING, [machine.reading()])
        assert await true_instants(store) == [NOW + 3_600_000] * 2
        assert store.clock.is_proved
        machine.wait(1_000, jump_ms=3_600_000)  # NTP sets it
        await store.append(Lane.BILLING, [machine.reading()])
        assert await true_instants(store) == [NOW + 3_600_000, NOW + 3_600_000, NOW + 3_601_000]


async def test_what_the_centre_says_of_a_clock_that_was_just_set_is_not_said_of_it_as_it_was(path: Path) -> None:
    machine = Machine(wall_ms=5_000)
    async with await Store.open(path, "gw-1", look=machine.look) as store:
        await store.prove_clock(NOW)
        await store.append(Lane.BILLING, [machine.reading()])
        machine.wait(1_000, jump_ms=NOW)  # NTP sets it, and the centre answers before the next reading
        await store.prove_clock(0)
        await store.append(Lane.BILLING, [machine.reading()])
        assert await true_instants(store) == [NOW + 5_000, NOW + 6_000]


async def test_a_clock_that_jumps_all_the_time_does_not_fill_the_store(path: Path) -> None:
    machine = Machine(wall_ms=NOW)
    async with await Store.open(path, "gw-1", look=machine.look) as store:
        for number in range(450):
            machine.wait(10, jump_ms=10_000 if number % 2 else -10_000)
            await store.append(Lane.SAFETY, [])
        await store.append(Lane.BILLING, [machine.reading()])
        assert len(await true_instants(store)) == 1
    with closing(connect(path, "gw-1")) as connection:
        assert len(load_stretches(connection)) <= 201

"""What is shown at the gateway bears the true time, and says where the clock was wrong."""

from decimal import Decimal
from pathlib import Path

import pytest

from edge_agent.clock import EARLIEST_MS
from edge_agent.history import read_history
from edge_agent.machine_clock import Clocks
from edge_agent.store import Store
from protocols.quantity import Quality
from protocols.record import Lane, Reading, Series

NOW = EARLIEST_MS + 86_400_000
ENERGY = Series("em-1", "energyImportTotal", "kWh")


@pytest.mark.parametrize("is_sent", [False, True])
async def test_a_reading_of_1970_is_shown_at_its_true_time_before_and_after_it_was_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_sent: bool
) -> None:
    monkeypatch.setattr("time.time_ns", lambda: (NOW + 100_000) * 1_000_000)
    path = tmp_path / "edge.db"
    clocks = Clocks("boot", 5_000, 10_000)
    async with await Store.open(path, "gw-1", look=lambda: clocks) as store:
        await store.append(Lane.BILLING, [Reading(ENERGY, 5_000, Decimal(1))])
        clocks = Clocks("boot", NOW + 60_000, 70_000)  # NTP sets it
        frozen = Reading(ENERGY, NOW - 3_600_000, Decimal("0.5"), Quality.FROZEN)
        await store.append(Lane.BILLING, [frozen, Reading(ENERGY, NOW + 60_000, Decimal(2))])
        if is_sent:
            await store.ack(Lane.BILLING, 3)
    found = read_history(path, "em-1", None, NOW - 7_200_000, 10)
    assert [(it.value, it.true_at, it.at, it.is_sent) for it in found] == [
        (Decimal(2), NOW + 60_000, NOW + 60_000, is_sent),
        (Decimal(1), NOW, 5_000, is_sent),
        (Decimal("0.5"), NOW - 3_600_000, NOW - 3_600_000, is_sent),
    ]
    assert [it.value for it in read_history(path, "em-1", None, 0, 2)] == [Decimal(2), Decimal(1)], "the newest"


async def test_a_stamp_that_nobody_can_put_right_is_shown_as_it_is_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "edge.db"
    async with await Store.open(path, "gw-1", look=lambda: Clocks("boot", 5_000, 10_000)) as store:
        await store.append(Lane.TELEMETRY, [Reading(ENERGY, 5_000, Decimal(1))])
    ((at, shift_ms),) = [(it.true_at, it.shift_ms) for it in read_history(path, "em-1", None, 0, 10)]
    assert (at, shift_ms) == (5_000, None)

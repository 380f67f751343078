"""The simulated devices: exact registers, powers that fit, states that make sense."""

from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from drivers.sim.load import DAY_MS, STEP, Load
from drivers.sim.model import Base, Door, Electricity, Lift, Water
from protocols.quantity import decimal_from_float32

_METER = Electricity(Load(3, 450), Base(123_456, 0))


def _numbers(at_ms: int) -> dict[str, Decimal]:
    return {name: value for name, value in _METER.values(at_ms).items() if isinstance(value, Decimal)}


@given(at=st.integers(0, 10 * DAY_MS), gap=st.integers(0, DAY_MS))
def test_every_register_only_grows_and_tariffs_sum_to_the_whole(at: int, gap: int) -> None:
    first, later = _numbers(at), _numbers(at + gap)
    assert all(later[name] >= first[name] for name in _METER.registers)
    assert sum(first[f"energyImportTariff{tariff}"] for tariff in (1, 2, 3, 4)) == first["energyImportTotal"]


@given(at=st.integers(0, 10 * DAY_MS))
def test_powers_of_the_phases_sum_and_currents_fit(at: int) -> None:
    values = _numbers(at)
    assert sum(values[f"powerL{phase}"] for phase in (1, 2, 3)) == values["powerTotal"]
    for phase in (1, 2, 3):
        power = values[f"voltageL{phase}"] * values[f"currentL{phase}"] * values["pf"]
        assert abs(power - values[f"powerL{phase}"]) < Decimal("0.2")


@given(steps=st.integers(0, 9_999_999))
def test_five_digit_registers_pass_through_float32_exactly(steps: int) -> None:
    import struct

    value = steps * STEP
    (through,) = struct.unpack(">f", struct.pack(">f", float(value)))
    assert decimal_from_float32(through) == value


def test_water_flows_when_its_register_moves() -> None:
    meter = Water(Load(1, 400, burst_percent=100, group=30), Base(0, 0))
    samples = [meter.values(at) for at in range(0, DAY_MS, 10_000)]
    assert any(sample["flowRate"] for sample in samples)
    assert all(sample["volumeTotal"] <= later["volumeTotal"] for sample, later in pairwise(samples))  # type: ignore[operator]


def test_the_car_moves_floor_by_floor_with_closed_doors() -> None:
    lift = Lift(seed=4, speed=1, floors=6)
    samples = [lift.values(at) for at in range(0, 3_600_000, 500)]
    floors = [sample["currentFloor"] for sample in samples]
    assert {type(floor) for floor in floors} == {Decimal}
    assert set(map(int, floors)) <= set(range(1, 7))  # type: ignore[arg-type]
    assert len(set(floors)) >= 4
    assert all(abs(later - floor) <= 1 for floor, later in pairwise(floors))  # type: ignore[operator]
    assert not [sample for sample in samples if sample["direction"] != "stopped" and sample["doorState"] != "closed"]
    assert {sample["direction"] for sample in samples} == {"up", "down", "stopped"}


def test_a_door_opens_now_and_then_and_only_unlocked() -> None:
    door = Door(seed=4, speed=1)
    samples = [door.values(at) for at in range(0, 3_600_000, 500)]
    is_open = [sample["doorState"] == "open" for sample in samples]
    assert 0.02 < sum(is_open) / len(is_open) < 0.2
    assert not [sample for sample in samples if sample["doorState"] == "open" and sample["lockState"] != "unlocked"]

"""The simulated devices: exact registers, powers that fit, states that make sense."""

from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from drivers.sim.door import Door
from drivers.sim.lift import Lift
from drivers.sim.load import DAY_MS, STEP, Load
from drivers.sim.model import Base, Electricity, Water
from protocols.quantity import decimal_from_float32

_METER = Electricity(Load(3, 450), Base(123_456, 0))


def _numbers(at_ms: int) -> dict[str, Decimal]:
    return {name: value for name, value in _METER.values(at_ms).items() if isinstance(value, Decimal)}


@given(at=st.integers(0, 10 * DAY_MS), gap=st.integers(0, DAY_MS))
def test_every_register_only_grows_and_tariffs_and_phases_sum_to_the_whole(at: int, gap: int) -> None:
    first, later = _numbers(at), _numbers(at + gap)
    assert all(later[name] >= first[name] for name in _METER.registers)
    assert sum(first[f"energyImportTariff{tariff}"] for tariff in (1, 2, 3, 4)) == first["energyImportTotal"]
    assert sum(first[f"energyImportL{phase}"] for phase in (1, 2, 3)) == first["energyImportTotal"]


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


def test_a_door_opens_now_and_then_and_only_after_the_exit_button() -> None:
    door = Door(seed=4, speed=1)
    samples = [door.values(at) for at in range(0, 3_600_000, 200)]
    is_open = [sample["doorState"] == "open" for sample in samples]
    assert 0.01 < sum(is_open) / len(is_open) < 0.2
    assert not [sample for sample in samples if sample["doorState"] == "open" and sample["lockState"] != "unlocked"]
    opened = [at for at in range(1, len(samples)) if is_open[at] and not is_open[at - 1]]
    assert opened
    for at in opened:
        assert sum(sample["exitButton"] == "pressed" for sample in samples[at - 10 : at]) >= 5, "a whole second before"


def test_a_pulsed_relay_unlocks_for_its_time_and_somebody_walks_through() -> None:
    door = Door(seed=4, speed=60, has_visits=False)
    door.pulse_ms = 3_000
    door.pulse(60 * 10_000)
    seen = [door.values(60 * at) for at in range(10_000, 14_000, 100)]
    assert [it["lockState"] for it in seen] == ["unlocked"] * 30 + ["locked"] * 10
    assert [it["doorState"] for it in seen].count("open") == 15
    assert {it["exitButton"] for it in seen} == {"released"}


def test_a_forced_door_stays_open_and_locked_until_it_is_closed() -> None:
    door = Door(seed=4, speed=1)
    door.do("force", 100_000)
    forced = door.values(100_000)
    assert (forced["doorState"], forced["lockState"], forced["exitButton"]) == ("open", "locked", "released")
    door.do("close", 200_000)
    assert door.values(200_000)["doorState"] == "closed"
    door.do("open", 300_000)
    assert [door.values(at)["doorState"] for at in (300_000, 301_000, 390_000)] == ["closed", "open", "open"]


def test_an_entrapped_car_stands_until_it_is_rescued() -> None:
    lift = Lift(seed=4, speed=1, floors=6)
    lift.happen("entrap", 15_000)
    for at in (15_000, 500_000):
        values = lift.values(at)
        assert (values["direction"], values["inDoorZone"], values["passengerAlarm"]) == ("stopped", "no", "on")
    lift.happen("normal", 500_000)
    assert lift.values(500_000)["doorState"] == "open"
    assert lift.values(600_000) == lift.trip(600_000)

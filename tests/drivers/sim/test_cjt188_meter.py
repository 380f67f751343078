"""Simulated CJ/T 188 meters: valves that turn, memories that fit what was shown, and heat."""

from datetime import UTC, datetime
from decimal import Decimal

from drivers.profile import load_profile
from drivers.sim.cjt188_meter import answer_cjt188
from drivers.sim.load import Load
from drivers.sim.model import Base, Model, Water
from drivers.sim.simulated import Simulated
from drivers.sim.site import Device
from drivers.sim.thermal import Heat, JouleHeat
from protocols import cjt188, cjt188_data

NOON = datetime(2026, 11, 23, 4, tzinfo=UTC)
METER = "20261100000201"
DAY_MS = 86_400_000
HEAT = Heat(Load(1, 900), Base(100_000, 0))


def meter(profile: str = "water/cjt188", model: Model | None = None) -> Simulated:
    water = Water(Load(1, 18, burst_percent=100, group=30), Base(31_244, 0))
    return Simulated(Device("wm-1", "wm-1", "line-2", profile, METER), model or water, load_profile(profile))


def said(it: Simulated, control: int, data: str, at_ms: int = 0, meter_type: int = 0x10) -> cjt188.Frame:
    answer = answer_cjt188(it, cjt188.Frame(meter_type, METER, control, bytes.fromhex(data)), at_ms, NOON)
    assert answer is not None
    return cjt188.decode_frame(answer.data.lstrip(b"\xfe"))


def test_a_valve_that_may_be_written_turns_when_it_is_ordered_to() -> None:
    water = meter("water/cjt188-valve")
    assert said(water, cjt188.WRITE, "17A00899").payload[0] & 0b11 == 0, "it was still open"
    states = {it.name: it.quantity.value for it in cjt188_data.decode_water(said(water, cjt188.READ, "1F9009").payload)}
    assert states["valveState"] == 1
    assert said(water, cjt188.WRITE, "17A00A55").payload[0] & 0b11 == 1
    assert said(water, cjt188.WRITE, "17A00B77").is_error


def test_a_meter_remembers_what_it_showed_at_midnight() -> None:
    at = 40 * DAY_MS
    current, *_ = cjt188_data.decode_water(said(meter(), cjt188.READ, "1F9001", at).payload)
    frozen, *_ = cjt188_data.decode_freeze(said(meter(), cjt188.READ, "00D302", at).payload)
    before, *_ = cjt188_data.decode_freeze(said(meter(), cjt188.READ, "05D303", at).payload)
    month = cjt188_data.decode_month(0x10, said(meter(), cjt188.READ, "20D104", at).payload)
    assert (frozen.at, before.at) == ("2026-11-23T00:00:00", "2026-11-18T00:00:00")
    shown = [it.quantity.value or Decimal(0) for it in (month, before, frozen, current)]
    assert shown == sorted(shown)
    assert len(set(shown)) == 4
    assert said(meter(), cjt188.READ, "0381FE").payload == b"\x01"


def test_a_heat_meter_says_all_it_measures() -> None:
    heat = meter("heat/cjt188", HEAT)
    values = cjt188_data.decode_heat(said(heat, cjt188.READ, "1F9001", 3_600_000, 0x20).payload)
    assert {value.quantity.quality.word for value in values} == {"good"}
    assert (values[0].quantity.value or 0) > 1000
    assert said(heat, cjt188.READ, "00D302", meter_type=0x20).is_error


def test_a_meter_that_counts_in_joules_counts_the_same_heat() -> None:
    joules = JouleHeat(HEAT).values(DAY_MS)["energyTotal"]
    hours = HEAT.values(DAY_MS)["energyTotal"]
    assert isinstance(joules, Decimal)
    assert isinstance(hours, Decimal)
    assert abs(joules - hours * Decimal("0.0036")) <= Decimal("0.0005")

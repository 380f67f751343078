"""The simulated meters answer as real ones do: what they have, and a refusal for the rest."""

from datetime import UTC, datetime

from drivers.profile import load_profile
from drivers.sim.cjt188_meter import answer_cjt188, is_asked_cjt188
from drivers.sim.dlt645_meter import answer_dlt645, is_asked_dlt645
from drivers.sim.load import Load
from drivers.sim.model import Base, Electricity, Water
from drivers.sim.simulated import Simulated
from drivers.sim.site import Device
from protocols import cjt188, cjt188_data, dlt645

NOON = datetime(2026, 11, 23, 4, tzinfo=UTC)
DLT, CJT = "202611000103", "20261100000201"


def electricity() -> Simulated:
    name = "electricity/dlt645-2007"
    model = Electricity(Load(1, 450), Base(123_456, 0))
    return Simulated(Device("em-1", "em-1", "line-1", name, DLT), model, load_profile(name))


def water() -> Simulated:
    name = "water/cjt188"
    model = Water(Load(1, 18, burst_percent=100, group=30), Base(31_244, 0))
    return Simulated(Device("wm-1", "wm-1", "line-2", name, CJT), model, load_profile(name))


def test_an_electricity_meter_says_its_register_and_notes_what_it_said() -> None:
    request = dlt645.Frame(DLT, dlt645.READ, (0x00010000).to_bytes(4, "little"))
    answer = answer_dlt645(electricity(), request, 0, NOON)
    assert answer is not None
    frame = dlt645.decode_frame(answer.data.lstrip(b"\xfe"))
    (value,) = dlt645.decode_values(0x00010000, frame.payload)
    assert str(value.quantity.value) == "1234.56"
    assert [(served.meter, str(served.value)) for served in answer.served] == [("em-1", "1234.56")]


def test_an_electricity_meter_refuses_what_it_does_not_have_and_every_write() -> None:
    for control, data in ((dlt645.READ, bytes.fromhex("99999999")), (dlt645.WRITE, bytes(12))):
        answer = answer_dlt645(electricity(), dlt645.Frame(DLT, control, data), 0, NOON)
        assert answer is not None
        assert dlt645.decode_frame(answer.data.lstrip(b"\xfe")).is_error


def test_a_meter_is_asked_by_its_address_or_by_a_wildcard_and_never_by_a_broadcast() -> None:
    for address, is_asked in ((DLT, True), ("A" * 12, True), ("202611000104", False), ("9" * 12, False)):
        assert is_asked_dlt645(electricity(), dlt645.Frame(address, dlt645.READ, bytes(4))) is is_asked
    for address, is_asked in ((CJT, True), ("A" * 14, True), ("20261100000202", False)):
        assert is_asked_cjt188(water(), cjt188.Frame(0x10, address, cjt188.READ, b"\x1f\x90\x01")) is is_asked


def test_a_water_meter_says_its_register_and_refuses_a_valve_command() -> None:
    request = cjt188.Frame(0x10, CJT, cjt188.READ, b"\x1f\x90\x07")
    answer = answer_cjt188(water(), request, 0, NOON)
    assert answer is not None
    frame = cjt188.decode_frame(answer.data.lstrip(b"\xfe"))
    assert frame.ser == 7
    assert str(cjt188_data.decode_water(frame.payload)[0].quantity.value) == "312.44"
    valve = cjt188.Frame(0x10, CJT, cjt188.WRITE, b"\x17\xa0\x08\x99")
    refusal = answer_cjt188(water(), valve, 0, NOON)
    assert refusal is not None
    assert cjt188.decode_frame(refusal.data.lstrip(b"\xfe")).is_error

"""A simulated Modbus device lays its points out as its profile says, several in one register as well."""

from decimal import Decimal

from drivers.profile import parse_profile
from drivers.sim.load import Load
from drivers.sim.modbus_units import answer_modbus
from drivers.sim.model import Base, Electricity
from drivers.sim.simulated import Simulated
from drivers.sim.site import Device
from protocols import modbus

PROFILE = """\
title = "A meter that packs its numbers"
kind = "electricity"
protocol = "modbus"
sources = ["x"]
[[point]]
name = "freq"
address = 0
type = "u8hi"
unit = "Hz"
[[point]]
name = "pf"
address = 0
type = "u8lo"
scale = 0.01
[[point]]
name = "energyImportTotal"
address = 1
type = "u64"
order = "GHEFCDAB"
mask = 0xFFFFFF00
unit = "kWh"
scale = 0.01
register = true
"""


def test_points_that_share_a_register_each_bring_their_bits() -> None:
    device = Device("em-1", "em-1", "tcp-1", "electricity/own", "1")
    unit = Simulated(
        device, Electricity(Load(1, 450), Base(123_456, 0)), parse_profile(PROFILE, "electricity/own", "x")
    )
    pdu, served = answer_modbus(unit, modbus.encode_read_request(3, 0, 5), 0)
    words = modbus.decode_registers_response(pdu, 3, 5)
    assert words == (49 << 8 | 95, (123_456 << 8) & 0xFFFF, 123_456 >> 8, 0, 0)
    assert [(it.point, it.value, it.unit) for it in served] == [("energyImportTotal", Decimal("1234.56"), "kWh")]

"""Whatever bytes a device answers with, a driver gives what can be kept, or no value."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from itertools import cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.bus.exchange import Exchange, FrameExchange, ModbusRead
from drivers.bus.owner import Bus
from drivers.bus.serial_line import SerialBus
from drivers.factory import create_driver
from drivers.profile import load_profile, parse_profile, profile_names
from protocols.mbus.frame import CI_VARIABLE, RSP_UD, Frame, encode_frame
from protocols.quantity import Quality, to_scaled

ADDRESSES = {"modbus": "1", "dlt645": "202611000103", "cjt188": "20261100000201", "mbus": "1"}
# An OSDP device answers its session, and the texts of IEC 62056-21 and P1 have tests of their own.
CANNED = [name for name in profile_names() if load_profile(name).protocol in ADDRESSES]


class CannedBus(Bus):
    """A line whose every answer is prepared; a Modbus one is of the length that was asked for."""

    kind = "serial"
    speaks = SerialBus.speaks

    def __init__(self, payloads: Iterator[bytes]) -> None:
        super().__init__("canned")
        self._payloads = payloads

    async def _open(self) -> None:
        pass

    async def _close(self) -> None:
        pass

    def _check(self) -> None:
        pass

    async def _exchange(self, exchange: Exchange) -> bytes:
        payload = next(self._payloads)
        if isinstance(exchange, FrameExchange) and exchange.framing == "mbus":  # its payload is a right frame
            return encode_frame(Frame(RSP_UD, 1, CI_VARIABLE, bytes(12) + payload))
        if isinstance(exchange, FrameExchange) and exchange.framing.startswith("dlt645"):
            return b"\x91" + payload  # the control code of an answer that is whole
        if not isinstance(exchange, ModbusRead):
            return payload
        if exchange.function in (1, 2):
            return bytes(byte & 1 for byte in payload.ljust(exchange.count, b"\0")[: exchange.count])
        return payload.ljust(2 * exchange.count, b"\0")[: 2 * exchange.count]


@pytest.mark.parametrize("name", CANNED)
@settings(max_examples=60, deadline=None)
@given(payloads=st.lists(st.binary(max_size=60), min_size=1, max_size=8))
def test_any_answer_gives_a_value_that_can_be_kept_or_none(name: str, payloads: list[bytes]) -> None:
    profile = load_profile(name)

    async def read() -> None:
        async with CannedBus(cycle(payloads)) as bus:
            values = await create_driver(profile, bus, ADDRESSES[profile.protocol]).read()
        assert [value.point for value in values] == [point.name for point in profile.points]
        for value in values:
            quantity = value.quantity
            assert quantity.unit == profile.point(value.point).canonical_unit
            assert (quantity.value is None) == (quantity.quality in (Quality.NOT_AVAILABLE, Quality.INVALID))
            if quantity.value is not None:
                assert to_scaled(quantity.value)[1] <= 0

    asyncio.run(read())


SCALED = """\
title = "x"
kind = "electricity"
protocol = "modbus"
sources = ["x"]
[[point]]
name = "powerTotal"
address = 0
type = "{type}"
scale = "{scale}"
unit = "{unit}"
"""


@pytest.mark.parametrize(
    ("type_", "scale", "unit", "sent", "kept"),
    [
        ("u16", "0.0001", "kW", "151E", "540.6"),
        ("u16", "1", "kW", "0005", "5000"),
        ("u16", "0.1", "W", "0032", "5.0"),
        ("u32", "1", "Wh", "00000064", "0.100"),
        ("u32", "0.01", "MWh", "00000065", "1010"),
        ("f32", "1", "W", "49742400", "1000000"),
        ("f32", "0.1", "V", "4508F4CD", "219.13"),
        ("f32", "1", "W", "00000001", "0"),
        ("f32", "1", "bar", "40600000", "350"),
    ],
)
async def test_a_value_has_the_places_that_the_device_has(
    type_: str, scale: str, unit: str, sent: str, kept: str
) -> None:
    profile = parse_profile(SCALED.format(type=type_, scale=scale, unit=unit), "x", "x.toml")
    async with CannedBus(cycle([bytes.fromhex(sent)])) as bus:
        (value,) = await create_driver(profile, bus, "1").read()
    assert value.quantity.value == Decimal(kept)
    assert value.quantity.value is not None
    assert value.quantity.value.as_tuple().exponent == min(0, int(Decimal(kept).as_tuple().exponent)) or kept == "0"

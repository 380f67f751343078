"""Modbus meters against pymodbus's server, by the shipped profiles."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from drivers.base import Driver, Options
from drivers.bus.modbus import ModbusTcpBus
from drivers.bus.settings import TcpSettings
from drivers.errors import DeviceOffline, DeviceRefused, ProfileError
from drivers.factory import create_driver
from drivers.meter.register import RegisterMeter
from drivers.profile import Profile, load_profile, parse_profile
from drivers.profile.modbus import Source
from protocols import modbus
from protocols.quantity import Quality, Quantity
from tests.drivers.modbus_server import Unit, modbus_server
from tests.drivers.peer import Reply, tcp_peer

SDM630 = Unit(
    input_floats={
        0x00: 229.93, 0x02: 230.1, 0x04: 231.0, 0x06: 1.5, 0x08: 0.25, 0x0A: 16.0,
        0x0C: 344.9, 0x0E: 57.5, 0x10: 3696.0, 0x34: 4098.4, 0x3E: 0.98, 0x46: 49.98, 0x48: 20417.35, 0x4A: 0.02,
    }
)  # fmt: skip
DTSU666 = Unit(
    holding_floats={
        0x101E: 3120.08, 0x1028: 1.5, 0x2006: 2299.0, 0x2008: 2301.0, 0x200A: 2310.0,
        0x200C: 1500.0, 0x200E: 250.0, 0x2010: 16000.0, 0x2012: 40984.0, 0x2014: 3449.0, 0x2016: 575.0,
        0x2018: 36960.0, 0x202A: 980.0, 0x2044: 4998.0,
    }
)  # fmt: skip


@asynccontextmanager
async def device(
    profile: Profile | str, unit: Unit, *, address: str = "1", clock: datetime | None = None
) -> AsyncIterator[Driver]:
    profile = load_profile(profile) if isinstance(profile, str) else profile
    async with modbus_server({1: unit}) as port:
        settings = TcpSettings("tcp-1", "127.0.0.1", port, 0.2)
        bus = ModbusTcpBus(settings, clock=lambda: clock) if clock else ModbusTcpBus(settings)
        async with bus:
            yield create_driver(profile, bus, address, Options())


async def quantities(driver: Driver) -> dict[str, Quantity]:
    return {value.point: value.quantity for value in await driver.read()}


async def test_an_sdm630_gives_the_numbers_on_its_display() -> None:
    async with device("electricity/eastron-sdm630", SDM630) as driver:
        values = await quantities(driver)
    assert values["energyImportTotal"] == Quantity(Decimal("20417.35"), "kWh")
    assert values["powerTotal"] == Quantity(Decimal("4098.4"), "W")
    assert values["voltageL1"] == Quantity(Decimal("229.93"), "V")
    assert values["currentL3"].value == 16
    assert values["freq"] == Quantity(Decimal("49.98"), "Hz")
    assert len(values) == 14


async def test_a_dtsu666_is_scaled_to_the_same_numbers() -> None:
    async with device("electricity/chint-dtsu666", DTSU666) as driver:
        values = await quantities(driver)
    assert values["energyImportTotal"] == Quantity(Decimal("3120.08"), "kWh")
    assert (values["voltageL1"].value, values["currentL1"].value) == (Decimal("229.9"), Decimal("1.5"))
    assert (values["powerTotal"].value, values["pf"].value) == (Decimal("4098.4"), Decimal("0.98"))
    assert values["freq"] == Quantity(Decimal("49.98"), "Hz")


async def test_only_registers_of_the_profile_are_asked_for_and_in_few_requests() -> None:
    async with device("electricity/eastron-sdm630", SDM630) as driver:
        await driver.read()
        assert driver.bus.round_trips.answers == 4


async def test_values_carry_the_instant_of_the_bus_clock_and_their_bytes() -> None:
    at = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)
    async with device("electricity/eastron-sdm630", SDM630, clock=at) as driver:
        (value,) = await driver.read(["voltageL3"])
    assert value.taken_at == at
    assert value.raw == bytes.fromhex("43670000")


async def test_values_of_one_request_share_their_instant() -> None:
    async with device("electricity/eastron-sdm630", SDM630) as driver:
        values = {value.point: value.taken_at for value in await driver.read()}
    assert values["energyImportTotal"] == values["freq"]
    assert abs(values["voltageL1"] - datetime.now(UTC)) < timedelta(seconds=5)


async def test_nan_is_not_available_and_never_a_number() -> None:
    floats = {**SDM630.input_floats, 0x34: float("nan")}
    async with device("electricity/eastron-sdm630", Unit(input_floats=floats)) as driver:
        values = await quantities(driver)
    assert values["powerTotal"] == Quantity(None, "W", Quality.NOT_AVAILABLE)
    assert values["energyImportTotal"].value == Decimal("20417.35")


@pytest.mark.parametrize(
    ("sent", "kept"), [(1e-45, Quantity(Decimal(0), "W")), (3e38, Quantity(None, "W", Quality.INVALID))]
)
async def test_a_number_beyond_what_a_reading_can_keep_is_not_kept(sent: float, kept: Quantity) -> None:
    floats = {**SDM630.input_floats, 0x34: sent}
    async with device("electricity/eastron-sdm630", Unit(input_floats=floats)) as driver:
        assert (await quantities(driver))["powerTotal"] == kept


async def test_a_smaller_model_lacks_some_points_and_keeps_the_others() -> None:
    floats = {at: value for at, value in SDM630.input_floats.items() if at != 0x34}
    async with device("electricity/eastron-sdm630", Unit(input_floats=floats)) as driver:
        values = await quantities(driver)
    assert values["powerTotal"] == Quantity(None, "W", Quality.NOT_AVAILABLE)
    assert values["energyImportTotal"].value == Decimal("20417.35")


async def test_a_block_that_touches_what_the_device_lacks_is_halved_once_and_planned_so_from_then_on() -> None:
    points = "".join(f'[[point]]\nname = "p{n}"\naddress = {n}\n' for n in range(8))
    head = 'title = "x"\nkind = "electricity"\nprotocol = "modbus"\nsources = ["x"]\n'
    profile = parse_profile(head + points, "x/x", "x.toml")
    has = {n: 10 + n for n in range(8) if n != 5}
    async with device(profile, Unit(holding_words=has)) as driver:
        first = await quantities(driver)
        asked = driver.bus.round_trips
        again = await quantities(driver)
        cost = driver.bus.round_trips.answers + driver.bus.round_trips.failures - asked.answers - asked.failures
    assert {name: quantity.value for name, quantity in first.items()} == {
        f"p{n}": Decimal(has[n]) if n in has else None for n in range(8)
    }
    assert first["p5"].quality is Quality.NOT_AVAILABLE
    assert again == first
    assert cost == 4, "0 to 3, 4, the one that is refused, and 6 to 7"


async def test_a_wrong_model_refuses_everything_with_its_code() -> None:
    async with device("electricity/chint-dtsu666", SDM630) as driver:
        with pytest.raises(DeviceRefused, match="illegal data address") as caught:
            await driver.read()
        assert caught.value.code == 2
        assert await driver.probe() == []


async def test_a_dead_unit_is_offline() -> None:
    async with device("electricity/eastron-sdm630", SDM630, address="9") as driver:
        with pytest.raises(DeviceOffline):
            await driver.read()
        with pytest.raises(DeviceOffline):
            await driver.probe()


async def test_what_is_billed_is_asked_for_first_and_kept_when_the_meter_falls_silent() -> None:
    asked: list[int] = []

    def answer(request: bytes) -> Reply:
        frame = modbus.decode_tcp(request)
        want = modbus.decode_request(frame.pdu)
        asked.append(want.address)
        pdu = modbus.encode_read_registers_response(4, [0] * want.count)
        return [(0, modbus.encode_tcp(modbus.Frame(1, pdu, frame.transaction)))] if len(asked) == 1 else []

    async with tcp_peer(answer) as port, ModbusTcpBus(TcpSettings("tcp-1", "127.0.0.1", port, 0.05)) as bus:
        driver = create_driver(load_profile("electricity/eastron-sdm630"), bus, "1")
        with pytest.raises(DeviceOffline) as caught:
            await driver.read()
    assert asked[0] == 0x46
    assert {value.point for value in caught.value.partial} == {"freq", "energyImportTotal", "energyExportTotal"}


async def test_a_meter_gives_its_register_by_its_capability() -> None:
    async with device("electricity/eastron-sdm630", SDM630) as driver:
        assert isinstance(driver, RegisterMeter)
        assert (await driver.read_register()).quantity == Quantity(Decimal("20417.35"), "kWh")


@pytest.mark.parametrize("address", ["0", "248", "one", "", "-1"])
async def test_a_unit_is_a_number_from_1_to_247(address: str) -> None:
    with pytest.raises(ProfileError, match="from 1 to 247"):
        async with device("electricity/eastron-sdm630", SDM630, address=address):
            pass


OWN = """\
title = "Own map"
kind = "electricity"
protocol = "modbus"
sources = ["test"]
[modbus]
function = 4
max_gap = {gap}
max_registers = {most}
[[point]]
name = "energyImportTotal"
address = 0
type = "u32"
order = "CDAB"
unit = "Wh"
register = true
[[point]]
name = "powerTotal"
address = 4
type = "i16"
scale = "0.01"
unit = "kW"
[[point]]
name = "currentL1"
address = 5
type = "u16"
not_available = 0xFFFF
unit = "mA"
[[point]]
name = "freq"
address = 6
type = "bcd16"
scale = 0.01
unit = "Hz"
"""
WORDS = {0: 0x86A0, 1: 0x0001, 2: 0, 3: 0, 4: 0xFF9C, 5: 0xFFFF, 6: 0x499A}


async def test_orders_signs_sentinels_and_bad_digits_are_told_apart() -> None:
    profile = parse_profile(OWN.format(gap=0, most=125), "electricity/own", "own.toml")
    async with device(profile, Unit(input_words=WORDS)) as driver:
        values = await quantities(driver)
        assert driver.bus.round_trips.answers == 2
    assert values == {
        "energyImportTotal": Quantity(Decimal("100.000"), "kWh"),
        "powerTotal": Quantity(Decimal(-1000), "W"),
        "currentL1": Quantity(None, "A", Quality.NOT_AVAILABLE),
        "freq": Quantity(None, "Hz", Quality.INVALID),
    }


async def test_a_gap_that_the_profile_allows_is_read_over() -> None:
    profile = parse_profile(OWN.format(gap=2, most=125), "electricity/own", "own.toml")
    async with device(profile, Unit(input_words=WORDS)) as driver:
        assert (await quantities(driver))["powerTotal"].value == -1000
        assert driver.bus.round_trips.answers == 1


async def test_no_request_is_longer_than_the_profile_allows() -> None:
    profile = parse_profile(OWN.format(gap=2, most=4), "electricity/own", "own.toml")
    async with device(profile, Unit(input_words=WORDS)) as driver:
        assert (await quantities(driver))["energyImportTotal"].value == 100
        assert driver.bus.round_trips.answers == 2


def test_the_shipped_maps_do_not_overlap() -> None:
    for name in ("electricity/eastron-sdm630", "electricity/chint-dtsu666", "elevator/modbus-gateway"):
        sources = [point.source for point in load_profile(name).points if isinstance(point.source, Source)]
        for first, second in pairwise(sorted(sources, key=lambda source: source.address)):
            assert first.address + first.count <= second.address

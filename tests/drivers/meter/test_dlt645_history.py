"""A meter's own freezes: found by their instants, long answers joined from their parts, 1997 without any."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from drivers.base import History
from drivers.bus.serial_line import SerialBus
from drivers.bus.settings import SerialSettings
from drivers.errors import DeviceOffline, DeviceRefused
from drivers.factory import create_driver
from drivers.profile import load_profile, parse_profile
from protocols import dlt645
from protocols.dlt645_reader import freeze_di, freeze_instant_di
from protocols.quantity import Quality, Quantity
from tests.drivers.dlt645_site import AT_MS, NOW, line_of, simulated
from tests.drivers.peer import Reply, pty_peer

METER = "202611000103"
ZONE = ZoneInfo("Asia/Shanghai")
DAYS = [date(2026, 11, 22), date(2026, 11, 19), date(2026, 11, 1)]


async def test_days_are_read_back_as_they_ended_oldest_first(tmp_path: Path) -> None:
    meter = simulated(METER)
    async with line_of([meter], tmp_path) as (bus, _):
        driver = create_driver(load_profile("electricity/dlt645-2007-relay"), bus, METER)
        assert isinstance(driver, History)
        values = await driver.read_history(DAYS, ZONE)
    totals = [value for value in values if value.point == "energyImportTotal"]
    assert [value.taken_at for value in totals] == [
        datetime(2026, 11, 1, 16, tzinfo=UTC),
        datetime(2026, 11, 19, 16, tzinfo=UTC),
        datetime(2026, 11, 22, 16, tzinfo=UTC),
    ]
    for value in totals:
        ago_ms = int((NOW - value.taken_at) / timedelta(milliseconds=1))
        assert value.quantity.value == meter.model.values(AT_MS - ago_ms)["energyImportTotal"]
    assert {value.point for value in values} == {point.name for point in driver.profile.points if point.is_register}


class Freezes:
    """A meter whose freezes are at the given local instants, the latest first."""

    def __init__(self, instants: list[datetime]) -> None:
        self.instants = instants

    def __call__(self, request: bytes, frame: Any) -> Reply:
        for number, at in enumerate(self.instants, start=1):
            if frame.di == freeze_instant_di(number):
                return [(0, dlt645.encode_read_response(METER, frame.di, bytes.fromhex(f"{at:%M%H%d%m%y}")))]
            if frame.di == freeze_di(1, number):
                payload = dlt645.encode_value(0x00010000, Decimal(at.timetuple().tm_yday))
                return [(0, dlt645.encode_read_response(METER, frame.di, payload))]
        return [(0, dlt645.encode_error_response(METER, dlt645.READ, 0x02))]


async def read_back(instants: list[datetime], days: list[date], folder: Path) -> dict[date, Quantity]:
    async with (
        pty_peer("dlt645", Freezes(instants), folder) as peer,
        SerialBus(SerialSettings("b", peer.path, timeout_s=0.1), clock=lambda: NOW) as bus,
    ):
        driver = create_driver(load_profile("electricity/dlt645-2007-single-phase"), bus, METER)
        assert isinstance(driver, History)
        values = await driver.read_history(days, ZONE)
    return {value.taken_at.astimezone(ZONE).date() - timedelta(days=1): value.quantity for value in values}


async def test_a_night_without_power_has_no_freeze_and_shifts_no_other_day(tmp_path: Path) -> None:
    nights = [datetime(2026, 11, 23) - timedelta(days=ago) for ago in (0, 1, 4, 5, 9)]  # noqa: DTZ001
    days = [(night - timedelta(days=1)).date() for night in nights]
    found = await read_back(nights, [*days, date(2026, 11, 20), date(2026, 11, 15)], tmp_path)
    assert found == {
        day: Quantity(Decimal(night.timetuple().tm_yday).quantize(Decimal("0.01")), "kWh")
        for day, night in zip(days, nights, strict=True)
    }


async def test_a_day_that_the_meter_no_longer_has_is_left_out(tmp_path: Path) -> None:
    nights = [datetime(2026, 11, 23) - timedelta(days=ago) for ago in range(3)]  # noqa: DTZ001
    assert list(await read_back(nights, [date(2026, 10, 1), date(2026, 11, 21)], tmp_path)) == [date(2026, 11, 21)]


async def test_a_meter_that_freezes_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(DeviceRefused, match="no such data"):
        await read_back([], [date(2026, 11, 22)], tmp_path)


async def test_an_answer_in_parts_is_joined(tmp_path: Path) -> None:
    order = 21  # the last of 42 bytes, which the simulated meter sends in two frames
    text = (
        'title = "t"\nkind = "electricity"\nprotocol = "dlt645"\nsources = ["own"]\n'
        f'[[point]]\nname = "harmonic"\ndi = "020A01{order:02X}"\nblock = "020A01FF"\nunit = "%"\n'
    )
    meter = simulated(METER)
    meter.memory[0x020A01FF] = b"".join(bytes((0, order)) for order in range(1, 22))
    async with line_of([meter], tmp_path) as (bus, peer):
        (value,) = await create_driver(parse_profile(text, "x/y", "y.toml"), bus, METER).read()
        assert [dlt645.decode_frame(request).sequence for request in peer.requests] == [None, 1]
    assert value.quantity == Quantity(Decimal("15.00"), "%", Quality.GOOD)


async def test_an_answer_that_never_ends_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.meter.dlt645._IDLE_S", 0.001)

    def endless(request: bytes, frame: Any) -> Reply:
        return [
            (
                0,
                dlt645.encode_frame(
                    dlt645.Frame(METER, frame.control | 0xA0, frame.data[:4] + b"\x00" + frame.data[4:])
                ),
            )
        ]

    async with pty_peer("dlt645", endless, tmp_path) as peer:
        async with SerialBus(SerialSettings("b", peer.path, timeout_s=0.1)) as bus:
            driver = create_driver(load_profile("electricity/dlt645-2007-single-phase"), bus, METER)
            with pytest.raises(DeviceOffline, match="does not end"):
                await driver.read(["energyImportTotal"])
        assert len(peer.requests) == 256


async def test_a_meter_of_1997_is_read_by_its_own_identifiers_and_keeps_no_days(tmp_path: Path) -> None:
    profile = load_profile("electricity/dlt645-1997")
    meter = simulated(METER, profile)
    async with line_of([meter], tmp_path) as (bus, peer):
        driver = create_driver(profile, bus, METER)
        values = {value.point: value.quantity for value in await driver.read()}
        assert {dlt645.decode_frame(request).function for request in peer.requests} == {dlt645.READ_1997}
        assert isinstance(driver, History)
        with pytest.raises(DeviceRefused, match="no daily freeze"):
            await driver.read_history(DAYS, ZONE)
        wrong = create_driver(load_profile("electricity/dlt645-2007"), bus, METER)
        with pytest.raises(DeviceOffline):
            await wrong.read(["energyImportTotal"])
    assert values["energyImportTotal"].value == meter.model.values(AT_MS)["energyImportTotal"]
    assert Decimal(220) < (values["voltageL1"].value or 0) < Decimal(240)

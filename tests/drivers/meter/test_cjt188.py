"""The CJ/T 188 driver at a pty water meter."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from drivers.base import Driver, Options, WriteOrder
from drivers.bus.serial_line import SerialBus
from drivers.bus.settings import SerialSettings
from drivers.errors import DeviceOffline, DeviceRefused, ProfileError
from drivers.factory import create_driver
from drivers.meter.cjt188 import Cjt188Meter
from drivers.profile import Profile, load_profile
from protocols import cjt188, cjt188_data
from protocols.quantity import Quality, Quantity
from tests.drivers.peer import PtyPeer, Reply, pty_peer

METER = "20261100000201"
TIMEOUT_S = 0.1
CLOCK = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)


def respond(request: bytes, frame: cjt188.Frame, payload: bytes) -> bytes:
    return cjt188.encode_read_response(frame, payload, address=METER, meter_type=cjt188.COLD_WATER)


def healthy(request: bytes, frame: cjt188.Frame) -> Reply:
    if frame.address != METER:
        return []
    return [
        (0, respond(request, frame, cjt188_data.encode_water(Decimal("312.44"), Decimal("300.00"), CLOCK, valve=1)))
    ]


@asynccontextmanager
async def meter(
    answer: Callable[[bytes, Any], Reply], folder: Path, *, address: str = METER
) -> AsyncIterator[tuple[Driver, PtyPeer]]:
    async with pty_peer("cjt188", answer, folder) as peer:
        settings = SerialSettings("line-2", peer.path, baudrate=115200, timeout_s=TIMEOUT_S)
        async with SerialBus(settings) as bus:
            yield create_driver(load_profile("water/cjt188"), bus, address, Options()), peer


async def test_one_question_gives_every_point(tmp_path: Path) -> None:
    async with meter(healthy, tmp_path) as (driver, peer):
        values = {value.point: value.quantity for value in await driver.read()}
    assert values == {
        "volumeTotal": Quantity(Decimal("312.44"), "m3"),
        "settlementVolume": Quantity(Decimal("300.00"), "m3"),
        "valveState": Quantity(Decimal(1), ""),
        "batteryLow": Quantity(Decimal(0), ""),
    }
    assert peer.requests == [bytes.fromhex("68 10 01 02 00 00 11 26 20 01 03 1F 90 01 86 16".replace(" ", ""))]


async def test_litres_become_cubic_metres(tmp_path: Path) -> None:
    def answer(request: bytes, frame: cjt188.Frame) -> Reply:
        payload = cjt188_data.encode_water(Decimal("44.50"), Decimal(0), CLOCK)
        return [(0, respond(request, frame, payload[:4] + b"\x29" + payload[5:]))]

    async with meter(answer, tmp_path) as (driver, _):
        (value,) = await driver.read(["volumeTotal"])
    assert value.quantity == Quantity(Decimal("0.0445"), "m3")


async def test_the_reduced_form_has_no_settlement(tmp_path: Path) -> None:
    reduced = bytes.fromhex("443103000400")
    async with meter(lambda request, frame: [(0, respond(request, frame, reduced))], tmp_path) as (driver, _):
        values = {value.point: value.quantity for value in await driver.read()}
    assert values["volumeTotal"] == Quantity(Decimal("331.44"), "m3")
    assert values["settlementVolume"].quality is Quality.NOT_AVAILABLE
    assert values["batteryLow"].value == 1


async def test_an_odd_length_gives_no_value_at_all(tmp_path: Path) -> None:
    async with meter(lambda request, frame: [(0, respond(request, frame, bytes(11)))], tmp_path) as (driver, _):
        values = await driver.read()
    assert {value.quantity.quality for value in values} == {Quality.INVALID}
    assert {value.quantity.value for value in values} == {None}


async def test_every_request_has_a_sequence_number_of_its_own(tmp_path: Path) -> None:
    seen: list[int | None] = []

    def answer(request: bytes, frame: cjt188.Frame) -> Reply:
        seen.append(frame.ser)
        return healthy(request, frame)

    async with meter(answer, tmp_path) as (driver, _):
        for _ in range(3):
            await driver.read()
    assert len(set(seen)) == 3


async def test_a_repeated_question_has_a_new_sequence_number(tmp_path: Path) -> None:
    seen: list[int | None] = []

    def answer(request: bytes, frame: cjt188.Frame) -> Reply:
        seen.append(frame.ser)
        ((delay, data),) = healthy(request, frame)
        return [(delay, data if len(seen) > 1 else data[:-2] + bytes((data[-2] ^ 1, 0x16)))]

    async with meter(answer, tmp_path) as (driver, _):
        assert len(await driver.read()) == 4
    assert seen == [1, 2]


async def test_an_answer_with_an_old_sequence_number_is_not_believed(tmp_path: Path) -> None:
    def answer(request: bytes, frame: cjt188.Frame) -> Reply:
        old = cjt188.Frame(frame.meter_type, frame.address, frame.control, frame.data[:2] + b"\x00")
        return [(0, respond(request, old, cjt188_data.encode_water(Decimal("999.99"), Decimal(0), CLOCK)))]

    async with meter(answer, tmp_path) as (driver, _):
        with pytest.raises(DeviceOffline, match="sequence 00 does not answer 01"):
            await driver.read()


async def test_the_vendors_byte_order_is_found_and_kept(tmp_path: Path) -> None:
    asked: list[bytes] = []

    def answer(request: bytes, frame: cjt188.Frame) -> Reply:
        asked.append(frame.data[:2])
        return healthy(request, frame) if frame.data[:2] == b"\x90\x1f" else []

    async with meter(answer, tmp_path) as (driver, _):
        with pytest.raises(DeviceOffline):
            await driver.read()
        await driver.read()
        await driver.read()
    assert asked == [b"\x1f\x90", b"\x90\x1f", b"\x90\x1f"]


async def test_a_meter_that_has_answered_once_keeps_its_order_through_an_outage(tmp_path: Path) -> None:
    is_dead = False
    asked: list[bytes] = []

    def answer(request: bytes, frame: cjt188.Frame) -> Reply:
        asked.append(frame.data[:2])
        return [] if is_dead else healthy(request, frame)

    async with meter(answer, tmp_path) as (driver, _):
        await driver.read()
        is_dead = True
        with pytest.raises(DeviceOffline):
            await driver.read()
        is_dead = False
        await driver.read()
    assert set(asked) == {b"\x1f\x90"}


async def test_an_address_is_fourteen_digits(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="fourteen digits"):
        async with meter(healthy, tmp_path, address="202611000002"):
            pass


# Heat, gas, valves, history: profiles of their own.

HEAT_PAYLOAD = bytes.fromhex(
    "11740200058827440505000000001700000000350856710 02C792600642600664707 11521703092520 0005".replace(" ", "")
)
NOVEMBER = datetime(2026, 11, 23, 4, tzinfo=UTC)
BEIJING = timezone(timedelta(hours=8))


@asynccontextmanager
async def device(
    answer: Callable[[bytes, Any], Reply], folder: Path, profile: Profile
) -> AsyncIterator[tuple[Cjt188Meter, PtyPeer]]:
    async with pty_peer("cjt188", answer, folder) as peer:
        settings = SerialSettings("line-2", peer.path, baudrate=115200, timeout_s=TIMEOUT_S)
        async with SerialBus(settings, clock=lambda: NOVEMBER) as bus:
            driver = create_driver(profile, bus, METER, Options())
            assert isinstance(driver, Cjt188Meter)
            yield driver, peer


def order(seconds: int = 60) -> WriteOrder:
    return WriteOrder("zhang", NOVEMBER + timedelta(seconds=seconds))


def heat(request: bytes, frame: cjt188.Frame) -> Reply:
    return [(0, cjt188.encode_read_response(frame, HEAT_PAYLOAD, address=METER, meter_type=0x25))]


async def test_a_heat_meter_is_read_in_the_houses_units(tmp_path: Path) -> None:
    async with device(heat, tmp_path, load_profile("heat/cjt188")) as (driver, peer):
        values = {value.point: f"{value.quantity.value} {value.quantity.unit}" for value in await driver.read()}
    assert values["energyTotal"] == "54427.88 kWh"
    assert values["supplyTemperature"] == "26.79 degC"
    assert values["operatingTime"] == "269157600 s"
    assert peer.requests[0][1] == 0x20


async def test_an_energy_in_another_unit_is_never_converted(tmp_path: Path) -> None:
    async with device(heat, tmp_path, load_profile("heat/cjt188-gj")) as (driver, _):
        (energy,) = await driver.read(["energyTotal"])
    assert energy.quantity == Quantity(None, "GJ", Quality.INVALID)


def valve(said: list[bytes]) -> Callable[[bytes, Any], Reply]:
    def answer(request: bytes, frame: cjt188.Frame) -> Reply:
        if frame.data[:2] not in (b"\x90\x1f", b"\xa0\x17"):
            return []  # identifiers high byte first only
        if frame.function != cjt188.WRITE:
            return healthy(request, frame)
        said.append(frame.payload)
        return [(0, cjt188.encode_read_response(frame, b"\x00\x00", address=METER, meter_type=0x10))]

    return answer


async def test_a_valve_is_ordered_once_in_the_order_that_the_meter_reads(tmp_path: Path) -> None:
    said: list[bytes] = []
    async with device(valve(said), tmp_path, load_profile("water/cjt188-valve")) as (driver, _):
        with pytest.raises(DeviceOffline):
            await driver.set_valve(is_open=False, order=order())
        assert said == []
        await driver.set_valve(is_open=False, order=order())
        await driver.set_valve(is_open=True, order=order())
        assert await driver.read_valve() == "closed"
    assert said == [b"\x99", b"\x55"]


async def test_an_order_that_is_not_answered_is_not_repeated(tmp_path: Path) -> None:
    def answer(request: bytes, frame: cjt188.Frame) -> Reply:
        return healthy(request, frame) if frame.function == cjt188.READ else []

    async with device(answer, tmp_path, load_profile("water/cjt188-valve")) as (driver, peer):
        with pytest.raises(DeviceOffline):
            await driver.set_valve(is_open=False, order=order())
    assert [request[9] for request in peer.requests] == [cjt188.READ, cjt188.WRITE]


@pytest.mark.parametrize(
    ("profile", "value", "seconds", "match"),
    [
        ("water/cjt188", 1, 60, "does not list"),
        ("water/cjt188-valve", 3, 60, "no state 3"),
        ("water/cjt188-valve", 2, 60, "open \\(0\\) or closed"),
        ("water/cjt188-valve", 1, 0, "expired"),
    ],
)
async def test_an_order_that_is_not_allowed_never_leaves(
    tmp_path: Path, profile: str, value: int, seconds: int, match: str
) -> None:
    async with device(healthy, tmp_path, load_profile(profile)) as (driver, peer):
        with pytest.raises(DeviceRefused, match=match):
            await driver.write("valveState", Decimal(value), order(seconds))
    assert peer.requests == []


async def test_a_valve_is_never_ordered_by_a_wildcard(tmp_path: Path) -> None:
    async with device(healthy, tmp_path, load_profile("water/cjt188-valve")) as (named, peer):
        for address in (cjt188.WILDCARD, cjt188.BROADCAST):
            driver = create_driver(named.profile, named.bus, address, Options())
            with pytest.raises(DeviceRefused, match="several meters"):
                await driver.write("valveState", Decimal(1), order())
    assert peer.requests == []


def remembers(daily: bool, settlement_day: int = 1) -> Callable[[bytes, Any], Reply]:
    """A meter that froze 100.00 at the last midnight and one less each day, or only settles once a month."""

    def answer(request: bytes, frame: cjt188.Frame) -> Reply:
        assert frame.di is not None
        if frame.di == cjt188.CURRENT_DATA:
            return healthy(request, frame)
        number = frame.di & 0xFF
        payload: bytes | None = None
        if daily and 0xD300 <= frame.di < 0xD305:
            then = datetime(2026, 11, 23, tzinfo=BEIJING) - timedelta(days=number)
            payload = cjt188_data.encode_freeze(then, Decimal(100 - number))
        if not daily and frame.di == cjt188.SETTLEMENT_DAY:
            payload = bytes.fromhex(f"{settlement_day:02d}")
        if not daily and 0xD120 <= frame.di <= 0xD12B:
            payload = cjt188_data.encode_number(Decimal(90 - number + 0x20), "m3")
        if payload is None:
            return [(0, cjt188.encode_error_response(frame, 2, address=METER, meter_type=0x10))]
        return [(0, cjt188.encode_read_response(frame, payload, address=METER, meter_type=0x10))]

    return answer


async def test_daily_freezes_are_read_back_oldest_first(tmp_path: Path) -> None:
    days = [date(2026, 11, 21), date(2026, 11, 19), date(2026, 1, 1)]
    async with device(remembers(daily=True), tmp_path, load_profile("water/cjt188")) as (driver, _):
        found = await driver.read_history(days[:2], BEIJING)
        older = await driver.read_history(days, BEIJING)
    assert [(it.taken_at.isoformat(), str(it.quantity.value)) for it in found] == [
        ("2026-11-19T16:00:00+00:00", "97.00"),
        ("2026-11-21T16:00:00+00:00", "99.00"),
    ]
    assert {(it.point, it.quantity.quality) for it in found} == {("volumeTotal", Quality.FROZEN)}
    assert older == found


async def test_where_there_are_no_freezes_settlement_days_are_read_back(tmp_path: Path) -> None:
    days = [date(2026, 10, 31), date(2026, 8, 31), date(2026, 10, 30)]
    async with device(remembers(daily=False), tmp_path, load_profile("water/cjt188")) as (driver, _):
        found = await driver.read_history(days, BEIJING)
    assert [(it.taken_at.isoformat(), str(it.quantity.value)) for it in found] == [
        ("2026-08-31T16:00:00+00:00", "88.00"),
        ("2026-10-31T16:00:00+00:00", "90.00"),
    ]


@pytest.mark.parametrize(
    ("settlement_day", "days", "found"),
    [
        (
            15,
            [date(2026, 11, 14), date(2026, 9, 14)],
            [("2026-09-14T16:00:00+00:00", 88), ("2026-11-14T16:00:00+00:00", 90)],
        ),
        (25, [date(2026, 10, 24)], [("2026-10-24T16:00:00+00:00", 90)]),
        (23, [date(2026, 11, 22)], [("2026-11-22T16:00:00+00:00", 90)]),
        (31, [date(2026, 10, 30)], []),
    ],
)
async def test_a_settlement_day_is_the_meters_own(
    tmp_path: Path, settlement_day: int, days: list[date], found: list[tuple[str, int]]
) -> None:
    answer = remembers(daily=False, settlement_day=settlement_day)
    async with device(answer, tmp_path, load_profile("water/cjt188")) as (driver, _):
        told = await driver.read_history(days, BEIJING)
    assert [(it.taken_at.isoformat(), it.quantity.value) for it in told] == found


async def test_a_meter_that_remembers_nothing_has_no_history(tmp_path: Path) -> None:
    def answer(request: bytes, frame: cjt188.Frame) -> Reply:
        if frame.di == cjt188.CURRENT_DATA:
            return healthy(request, frame)
        return [(0, cjt188.encode_error_response(frame, 2, address=METER, meter_type=0x10))]

    async with device(answer, tmp_path, load_profile("water/cjt188")) as (driver, peer):
        assert await driver.read_history([date(2026, 11, 1)], BEIJING) == []
        asked = len(peer.requests)
        assert await driver.read_history([], BEIJING) == []
    assert len(peer.requests) == asked

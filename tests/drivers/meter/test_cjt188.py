"""The CJ/T 188 driver at a pty water meter."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from drivers.base import Driver, Options
from drivers.bus.serial_line import SerialBus
from drivers.bus.settings import SerialSettings
from drivers.errors import DeviceOffline, ProfileError
from drivers.factory import create_driver
from drivers.profile import load_profile
from protocols import cjt188
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
    return [(0, respond(request, frame, cjt188.encode_water(Decimal("312.44"), Decimal("300.00"), CLOCK, valve=1)))]


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
        payload = cjt188.encode_water(Decimal("44.50"), Decimal(0), CLOCK)
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
        return [(0, respond(request, old, cjt188.encode_water(Decimal("999.99"), Decimal(0), CLOCK)))]

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

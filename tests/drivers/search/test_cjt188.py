"""A CJ/T 188 line with one meter is searched by the wildcard; several meters by their addresses."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from drivers.bus.owner import Bus
from drivers.bus.serial_line import SerialBus
from drivers.bus.settings import SerialSettings
from drivers.search import Progress, Scope, Sighting
from drivers.search.cjt188 import search
from protocols import cjt188, cjt188_data
from tests.drivers.peer import Reply, pty_peer

METER = "20261100000201"
CLOCK = datetime(2026, 11, 23)  # noqa: DTZ001 - meters name no zone


@asynccontextmanager
async def bus_at(answer: Callable[[bytes, Any], Reply], folder: Path) -> AsyncIterator[Bus]:
    async with (
        pty_peer("cjt188", answer, folder) as peer,
        SerialBus(SerialSettings("l", peer.path, baudrate=115200, timeout_s=0.02)) as bus,
    ):
        yield bus


def tells_address(request: bytes, frame: cjt188.Frame) -> Reply:
    """A water meter that takes no wildcard type and knows its address question one way round only."""
    if frame.meter_type != 0x10 or frame.data[:2] != b"\x81\x0a":
        return []
    return [(0, cjt188.encode_frame(cjt188.Frame(0x10, METER, 0x83, frame.data)))]


def tells_heat(request: bytes, frame: cjt188.Frame) -> Reply:
    """A heat meter that knows only its current data."""
    if frame.function != cjt188.READ or frame.meter_type not in (0x20, 0xAA):
        return []
    payload = cjt188_data.encode_water(Decimal(1), Decimal(1), CLOCK)
    return [(0, cjt188.encode_read_response(frame, payload, address=METER, meter_type=0x25))]


def refuses(request: bytes, frame: cjt188.Frame) -> Reply:
    return [(0, cjt188.encode_error_response(frame, 2, address=METER, meter_type=0x30))]


async def found(answer: Callable[[bytes, Any], Reply], folder: Path, scope: Scope) -> list[Sighting]:
    async with bus_at(answer, folder) as bus:
        told = [it async for it in search(bus, scope)]
    progress = [it for it in told if isinstance(it, Progress)]
    assert progress[-1].done == progress[-1].total
    return [it for it in told if isinstance(it, Sighting)]


SCOPE = Scope(timeout_s=0.02)


@pytest.mark.parametrize(
    ("answer", "hint", "detail"),
    [
        (tells_address, "water/cjt188", "water meter, type 10, answers 901F"),
        (tells_heat, "heat/cjt188", "heat meter, type 25, answers 1F90"),
        (refuses, "gas/cjt188", "gas meter, type 30, answers 1F90, refuses this question"),
    ],
)
async def test_a_meter_is_found_whatever_it_answers(
    tmp_path: Path, answer: Callable[[bytes, Any], Reply], hint: str, detail: str
) -> None:
    assert await found(answer, tmp_path, SCOPE) == [Sighting("cjt188", METER, detail, hint)]


async def test_a_named_address_is_asked_for_itself(tmp_path: Path) -> None:
    scope = Scope(addresses=(METER, "20261100000202"), timeout_s=0.02)
    told = await found(lambda request, frame: tells_heat(request, frame) * (frame.address == METER), tmp_path, scope)
    assert [it.address for it in told] == [METER]


async def test_several_meters_at_once_are_said_to_be_so(tmp_path: Path) -> None:
    def collide(request: bytes, frame: cjt188.Frame) -> Reply:
        return [(0, bytes(byte & 0x5A for byte in request))]

    (told,) = await found(collide, tmp_path, SCOPE)
    assert "several meters" in told.detail


async def test_a_silent_line_holds_nothing(tmp_path: Path) -> None:
    assert await found(lambda _, __: [], tmp_path, SCOPE) == []

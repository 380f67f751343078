"""The DL/T 645 driver at a pty meter."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from drivers.base import Driver, Options
from drivers.bus.serial_line import SerialBus
from drivers.bus.settings import SerialSettings
from drivers.errors import DeviceOffline, DeviceRefused, ProfileError
from drivers.factory import create_driver
from drivers.meter.register import RegisterMeter
from drivers.profile import Profile, load_profile, parse_profile
from protocols import dlt645
from protocols.quantity import Quality, Quantity
from tests.drivers.peer import PtyPeer, Reply, pty_peer

METER = "202611000103"
TIMEOUT_S = 0.1
VALUES = {
    0x00010000: "1234.56",
    0x00020000: "0.10",
    0x02030000: "-1.2345",
    0x0201FF00: ("220.1", "221.2", "219.9"),
    0x0202FF00: ("1.234", "0.001", "-5.000"),
    0x02800002: "49.98",
    0x02060000: "0.987",
}


def payload_of(di: int) -> bytes:
    values = VALUES[di]
    if isinstance(values, str):
        return dlt645.encode_value(di, Decimal(values))
    items = zip(dlt645.ITEMS[di], values, strict=True)
    return b"".join(dlt645.encode_value(item.di, Decimal(value)) for item, value in items)


def healthy(request: bytes, frame: dlt645.Frame) -> Reply:
    if frame.address != METER or frame.di is None:
        return []
    if frame.di not in VALUES:
        return [(0, dlt645.encode_error_response(METER, dlt645.READ, 0x02))]
    return [(0, dlt645.encode_read_response(METER, frame.di, payload_of(frame.di)))]


@asynccontextmanager
async def meter(
    answer: Callable[[bytes, Any], Reply],
    folder: Path,
    *,
    address: str = METER,
    profile: Profile | None = None,
    options: Options | None = None,
) -> AsyncIterator[tuple[Driver, PtyPeer]]:
    async with pty_peer("dlt645", answer, folder) as peer:
        settings = SerialSettings("line-1", peer.path, baudrate=115200, timeout_s=TIMEOUT_S)
        async with SerialBus(settings) as bus:
            profile = profile or load_profile("electricity/dlt645-2007")
            yield create_driver(profile, bus, address, options or Options()), peer


async def test_every_point_comes_exact_and_in_canonical_units(tmp_path: Path) -> None:
    async with meter(healthy, tmp_path) as (driver, peer):
        values = {value.point: value.quantity for value in await driver.read()}
    assert values == {
        "energyImportTotal": Quantity(Decimal("1234.56"), "kWh"),
        "energyExportTotal": Quantity(Decimal("0.10"), "kWh"),
        "powerTotal": Quantity(Decimal("-1234.5"), "W"),
        "voltageL1": Quantity(Decimal("220.1"), "V"),
        "voltageL2": Quantity(Decimal("221.2"), "V"),
        "voltageL3": Quantity(Decimal("219.9"), "V"),
        "currentL1": Quantity(Decimal("1.234"), "A"),
        "currentL2": Quantity(Decimal("0.001"), "A"),
        "currentL3": Quantity(Decimal("-5.000"), "A"),
        "freq": Quantity(Decimal("49.98"), "Hz"),
        "pf": Quantity(Decimal("0.987"), ""),
    }
    assert len(peer.requests) == 7


async def test_the_register_is_asked_for_first_whatever_the_order_wanted(tmp_path: Path) -> None:
    async with meter(healthy, tmp_path) as (driver, peer):
        values = await driver.read(["freq", "energyImportTotal"])
    assert [value.point for value in values] == ["freq", "energyImportTotal"]
    assert peer.requests[0] == bytes.fromhex("68030100112620681104333334330D16")
    assert values[1].raw == bytes.fromhex("56341200")


async def test_a_published_frame_is_asked_for_and_understood(tmp_path: Path) -> None:
    """The universal read is the fact sheet's; the reply, FF for what is not there, is made by hand."""
    seen: list[bytes] = []

    def answer(request: bytes, frame: Any) -> Reply:
        seen.append(request)
        body = bytes.fromhex("68030100112620689108 33333433 32323232".replace(" ", ""))
        return [(0, b"\xfe\xfe" + body + bytes((sum(body) & 0xFF, 0x16)))]

    async with meter(answer, tmp_path, address="A" * 12) as (driver, _):
        (value,) = await driver.read(["energyImportTotal"])
    assert seen == [bytes.fromhex("68AAAAAAAAAAAA68110433333433AE16")]
    assert value.quantity == Quantity(None, "kWh", Quality.NOT_AVAILABLE)
    assert value.raw == b"\xff\xff\xff\xff"


async def test_a_dead_meter_is_offline_after_a_single_question(tmp_path: Path) -> None:
    async with meter(healthy, tmp_path, address="202611000199") as (driver, peer):
        with pytest.raises(DeviceOffline, match="no answer") as caught:
            await driver.read()
    assert caught.value.partial == ()
    assert len(peer.requests) == 1


async def test_a_frame_lost_amid_a_read_is_asked_for_once_more(tmp_path: Path) -> None:
    lost = iter([True])

    def answer(request: bytes, frame: dlt645.Frame) -> Reply:
        return [] if frame.di == 0x02800002 and next(lost, False) else healthy(request, frame)

    async with meter(answer, tmp_path) as (driver, peer):
        assert len(await driver.read()) == 11
    assert len(peer.requests) == 8


async def test_a_meter_that_falls_silent_leaves_what_it_had_answered(tmp_path: Path) -> None:
    def answer(request: bytes, frame: dlt645.Frame) -> Reply:
        return healthy(request, frame) if frame.di in (0x00010000, 0x00020000) else []

    async with meter(answer, tmp_path) as (driver, _):
        with pytest.raises(DeviceOffline) as caught:
            await driver.read()
    assert [(value.point, value.quantity.value) for value in caught.value.partial] == [
        ("energyImportTotal", Decimal("1234.56")),
        ("energyExportTotal", Decimal("0.10")),
    ]


async def test_a_damaged_first_answer_is_asked_for_again_at_once(tmp_path: Path) -> None:
    damage = iter([True])

    def answer(request: bytes, frame: dlt645.Frame) -> Reply:
        ((delay, data),) = healthy(request, frame)
        return [(delay, data[:-2] + bytes((data[-2] ^ 1, 0x16)) if next(damage, False) else data)]

    async with meter(answer, tmp_path) as (driver, peer):
        (value,) = await driver.read(["energyImportTotal"])
    assert value.quantity.value == Decimal("1234.56")
    assert len(peer.requests) == 2


async def test_a_probe_asks_once_for_the_register_and_repeats_nothing(tmp_path: Path) -> None:
    async with meter(healthy, tmp_path) as (driver, peer):
        (value,) = await driver.probe()
        assert (value.point, len(peer.requests)) == ("energyImportTotal", 1)

    def broken(request: bytes, frame: Any) -> Reply:
        return [(0, b"\x68" + bytes(6) + b"\x68\x91\x00\x00\x16")]

    (tmp_path / "b").mkdir()
    async with meter(broken, tmp_path / "b") as (driver, peer):
        with pytest.raises(DeviceOffline, match="bad frame"):
            await driver.probe()
        assert len(peer.requests) == 1


async def test_a_point_that_the_meter_does_not_have_leaves_the_others_whole(tmp_path: Path) -> None:
    def answer(request: bytes, frame: dlt645.Frame) -> Reply:
        if frame.di == 0x0202FF00:
            return [(0, dlt645.encode_error_response(METER, dlt645.READ, 0x02))]
        return healthy(request, frame)

    async with meter(answer, tmp_path) as (driver, _):
        values = {value.point: value.quantity for value in await driver.read()}
    assert values["currentL2"] == Quantity(None, "A", Quality.NOT_AVAILABLE)
    assert values["energyImportTotal"].value == Decimal("1234.56")
    assert len(values) == 11


async def test_a_meter_that_refuses_all_is_refused_with_its_code_and_yet_alive(tmp_path: Path) -> None:
    def answer(request: bytes, frame: Any) -> Reply:
        return [(0, dlt645.encode_error_response(METER, dlt645.READ, 0x04))]

    async with meter(answer, tmp_path) as (driver, _):
        with pytest.raises(DeviceRefused, match="wrong password or not authorised") as caught:
            await driver.read()
        assert caught.value.code == 4
        assert await driver.probe() == []


async def test_an_answer_of_an_odd_length_gives_no_shifted_value(tmp_path: Path) -> None:
    def answer(request: bytes, frame: dlt645.Frame) -> Reply:
        data = payload_of(frame.di or 0)
        odd = data[:2] + b"\x02" + data[2:] if frame.di == 0x0201FF00 else data
        return [(0, dlt645.encode_read_response(METER, frame.di or 0, odd))]

    async with meter(answer, tmp_path) as (driver, _):
        values = {value.point: value for value in await driver.read()}
    for point in ("voltageL1", "voltageL2", "voltageL3"):
        assert values[point].quantity == Quantity(None, "V", Quality.INVALID)
        assert len(values[point].raw) == 7
    assert values["currentL1"].quantity.value == Decimal("1.234")


async def test_a_profile_may_give_an_uncommon_length(tmp_path: Path) -> None:
    text = Path(load_profile("electricity/dlt645-2007-single-phase").file).read_text(encoding="utf-8")
    text = text.replace('di = "02010100"', 'di = "02010100"\nlength = 3\ndecimals = 1')
    wide = iter((b"\x01\x22\x00", b"\x01\x22"))

    def answer(request: bytes, frame: dlt645.Frame) -> Reply:
        return [(0, dlt645.encode_read_response(METER, frame.di or 0, next(wide)))]

    profile = parse_profile(text, "electricity/own", "own.toml")
    async with meter(answer, tmp_path, profile=profile) as (driver, _):
        (voltage,) = await driver.read(["voltageL1"])
        (standard,) = await driver.read(["voltageL1"])
    assert voltage.quantity == Quantity(Decimal("220.1"), "V")
    assert standard.quantity == Quantity(None, "V", Quality.INVALID)


async def test_the_wake_up_bytes_can_be_set(tmp_path: Path) -> None:
    async with meter(healthy, tmp_path, options=Options(preamble=0, timeout_s=0.05)) as (driver, _):
        assert len(await driver.read(["freq"])) == 1


async def test_a_meter_gives_its_register_by_its_capability(tmp_path: Path) -> None:
    async with meter(healthy, tmp_path) as (driver, _):
        assert isinstance(driver, RegisterMeter)
        assert (await driver.read_register()).quantity == Quantity(Decimal("1234.56"), "kWh")


async def test_an_unknown_point_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    async with meter(healthy, tmp_path) as (driver, _):
        with pytest.raises(KeyError):
            await driver.read(["flow"])


@pytest.mark.parametrize("address", ["1", "2026110001030", "20261100010X", ""])
async def test_an_address_is_twelve_digits(tmp_path: Path, address: str) -> None:
    with pytest.raises(ProfileError, match="twelve digits"):
        async with meter(healthy, tmp_path, address=address):
            pass

"""The relay in a DL/T 645 meter: it moves at an order with the right password, once, and never by itself."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from drivers.base import WriteOrder
from drivers.errors import DeviceOffline, DeviceRefused
from drivers.factory import create_driver
from drivers.meter.dlt645 import Dlt645Meter
from drivers.profile import load_profile
from protocols import dlt645
from protocols.dlt645_command import CONTROL, decode_control
from tests.drivers.dlt645_site import NOW, line_of, simulated

METER = "202611000103"
RELAY = "electricity/dlt645-2007-relay"
ORDER = WriteOrder("1234", NOW + timedelta(minutes=30), "000000")


def orders(requests: list[bytes]) -> list[dlt645.Frame]:
    frames = [dlt645.decode_frame(request) for request in requests]
    return [frame for frame in frames if frame.function not in (dlt645.READ, dlt645.READ_FOLLOW)]


async def test_a_relay_is_tripped_and_closed_and_tells_of_it(tmp_path: Path) -> None:
    async with line_of([simulated(METER)], tmp_path) as (bus, peer):
        driver = create_driver(load_profile(RELAY), bus, METER)
        assert isinstance(driver, Dlt645Meter)
        assert await driver.read_relay() == "closed"
        await driver.set_relay(is_closed=False, order=ORDER)
        assert await driver.read_relay() == "open"
        await driver.set_relay(is_closed=True, order=ORDER)
        assert await driver.read_relay() == "closed"
        sent = orders(peer.requests)
    trip = decode_control(sent[0])
    assert (trip.action, trip.authority.operator, trip.authority.password) == (0x1A, "00001234", "000000")
    assert len(sent) == 2


async def test_an_order_runs_out_two_minutes_later_in_the_meters_own_time(tmp_path: Path) -> None:
    async with line_of([simulated(METER)], tmp_path) as (bus, peer):
        driver = create_driver(load_profile(RELAY), bus, METER)
        await driver.write("relayState", Decimal(1), ORDER)
        (sent,) = orders(peer.requests)
    assert decode_control(sent).expires_at.isoformat() == "2026-11-23T20:02:00"


async def test_whoever_keeps_the_power_on_is_not_cut_off(tmp_path: Path) -> None:
    async with line_of([simulated(METER)], tmp_path) as (bus, _):
        driver = create_driver(load_profile(RELAY), bus, METER)
        await driver.write("keepPower", Decimal(1), ORDER)
        with pytest.raises(DeviceRefused):
            await driver.write("relayState", Decimal(1), ORDER)
        values = {value.point: value.quantity.value for value in await driver.read(["relayState", "keepPower"])}
        assert values == {"relayState": 0, "keepPower": 1}
        await driver.write("keepPower", Decimal(0), ORDER)
        await driver.write("relayState", Decimal(1), ORDER)


@pytest.mark.parametrize("password", [None, "", "12345", "abcdef", "123456", "04000000"])
async def test_without_the_right_password_nothing_moves(tmp_path: Path, password: str | None) -> None:
    meter = simulated(METER)
    async with line_of([meter], tmp_path) as (bus, peer):
        driver = create_driver(load_profile(RELAY), bus, METER)
        with pytest.raises(DeviceRefused, match="password"):
            await driver.write("relayState", Decimal(1), WriteOrder("1", NOW + timedelta(minutes=1), password))
        is_asked = password in ("123456", "04000000")
        assert len(orders(peer.requests)) == is_asked
    assert "relay" not in meter.memory


async def test_an_order_that_has_run_out_or_that_no_profile_lists_is_never_sent(tmp_path: Path) -> None:
    async with line_of([simulated(METER)], tmp_path) as (bus, peer):
        driver = create_driver(load_profile(RELAY), bus, METER)
        with pytest.raises(DeviceRefused, match="expired"):
            await driver.write("relayState", Decimal(1), WriteOrder("1", NOW, "000000"))
        with pytest.raises(DeviceRefused, match="has no state 2"):
            await driver.write("relayState", Decimal(2), ORDER)
        plain = create_driver(load_profile("electricity/dlt645-2007"), bus, METER)
        with pytest.raises(DeviceRefused, match="does not list"):
            await plain.write("powerTotal", Decimal(1), ORDER)
        assert isinstance(plain, Dlt645Meter)
        with pytest.raises(DeviceRefused, match="lists no relay"):
            await plain.set_relay(is_closed=False, order=ORDER)
        assert peer.requests == []


async def test_an_order_without_an_answer_is_sent_once(tmp_path: Path) -> None:
    async with line_of([], tmp_path) as (bus, peer):
        driver = create_driver(load_profile(RELAY), bus, METER)
        with pytest.raises(DeviceOffline):
            await driver.write("relayState", Decimal(1), ORDER)
        assert [frame.function for frame in orders(peer.requests)] == [CONTROL]

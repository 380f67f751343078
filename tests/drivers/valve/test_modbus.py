"""Valves and relays by Modbus, in words, over a real connection."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drivers.base import WriteOrder
from drivers.bus.settings import TcpSettings
from drivers.errors import DeviceRefused
from drivers.factory import create_bus, create_driver
from drivers.profile import load_profile, parse_profile
from drivers.valve.modbus import ModbusRelay, ModbusValve
from tests.drivers.sim.served import running, site_from

SITE = """
[site]
seed = 1

[[line]]
id = "tcp-1"
kind = "modbus-tcp"
port = 0

[[device]]
id = "v1"
line = "tcp-1"
profile = "valve/relay-driven"
address = "1"
"""
RELAY = """
title = "t"
kind = "relay"
protocol = "modbus"
sources = ["test"]

[[point]]
name = "relayState"
function = 1
address = 0
states = { 0 = "open", 1 = "closed" }
write = {}
"""


def order() -> WriteOrder:
    return WriteOrder("test", datetime.now(UTC) + timedelta(minutes=1))


async def test_a_valve_and_a_relay_are_ordered_in_words(tmp_path: Path) -> None:
    async with (
        running(site_from(SITE, tmp_path)) as served,
        create_bus(TcpSettings("b", "127.0.0.1", served.port("tcp-1"))) as bus,
    ):
        valve = create_driver(load_profile("valve/relay-driven"), bus, "1")
        relay = create_driver(parse_profile(RELAY, "test/relay", "test"), bus, "1")
        assert isinstance(valve, ModbusValve)
        assert isinstance(relay, ModbusRelay)
        assert (await valve.read_valve(), await relay.read_relay()) == ("closed", "open")
        await valve.set_valve(is_open=True, order=order())
        assert (await valve.read_valve(), await relay.read_relay()) == ("open", "closed")
        await relay.set_relay(is_closed=False, order=order())
        assert await valve.read_valve() == "closed"


async def test_a_profile_without_the_word_is_refused(tmp_path: Path) -> None:
    odd = parse_profile(RELAY.replace('1 = "closed"', '1 = "shut"'), "test/relay", "test")
    async with (
        running(site_from(SITE, tmp_path)) as served,
        create_bus(TcpSettings("b", "127.0.0.1", served.port("tcp-1"))) as bus,
    ):
        relay = create_driver(odd, bus, "1")
        assert isinstance(relay, ModbusRelay)
        with pytest.raises(DeviceRefused, match="has no word 'closed' for 'relayState'"):
            await relay.set_relay(is_closed=True, order=order())

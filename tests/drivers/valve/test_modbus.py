"""Valves and relays by Modbus, in words, over a real connection."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drivers.base import WriteOrder
from drivers.bus.settings import SerialSettings, TcpSettings
from drivers.errors import DeviceOffline, DeviceRefused
from drivers.factory import create_bus, create_driver
from drivers.profile import load_profile, parse_profile
from drivers.valve.modbus import ModbusRelay, ModbusValve
from protocols.modbus import READ_COILS, Frame, encode_rtu
from tests.drivers.peer import PtyPeer, Reply, pty_peer
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


@asynccontextmanager
async def module_that(
    takes: Callable[[bytes], bytes | None], folder: Path
) -> AsyncIterator[tuple[ModbusRelay, PtyPeer]]:
    """Serve a module whose coil is off for ever, and whose answer to a write is given."""

    def answer(_: bytes, frame: Frame) -> Reply:
        pdu = b"\x01\x01\x00" if frame.pdu[0] == READ_COILS else takes(frame.pdu)
        return [] if pdu is None else [(0, encode_rtu(Frame(frame.device_id, pdu)))]

    async with (
        pty_peer("modbus-rtu", answer, folder) as peer,
        create_bus(SerialSettings("b", peer.path, 9600, timeout_s=0.1)) as bus,
    ):
        relay = create_driver(load_profile("relay/relay-module"), bus, "1")
        assert isinstance(relay, ModbusRelay)
        yield relay, peer


def written(peer: PtyPeer) -> list[bytes]:
    return [it for it in peer.requests if it[1] != READ_COILS]


async def test_a_device_that_takes_the_order_and_does_nothing_is_found_out(tmp_path: Path) -> None:
    async with module_that(lambda pdu: pdu, tmp_path) as (relay, peer):
        with pytest.raises(DeviceRefused, match="took the order and still says 'open'"):
            await relay.set_relay(is_closed=True, order=order())
        assert len(written(peer)) == 1


async def test_a_lost_answer_is_not_asked_for_again_and_says_how_it_stands(tmp_path: Path) -> None:
    async with module_that(lambda pdu: None, tmp_path) as (relay, peer):
        with pytest.raises(DeviceOffline, match="may have been carried out: 'relayState' now says 'open'"):
            await relay.set_relay(is_closed=True, order=order())
        assert len(written(peer)) == 1

"""The house's own drivers against the simulated site: whatever they read, the journal says was served."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from drivers.base import Driver
from drivers.bus.settings import SerialSettings, TcpSettings
from drivers.errors import DeviceError, DeviceOffline
from drivers.factory import create_bus, create_driver
from drivers.profile import load_profile, profile_names
from drivers.sim.fault import Faults
from drivers.sim.site import Line, Site
from drivers.sim.training import training_site
from protocols.quantity import Quality
from tests.drivers.sim.served import Running, running, site_from


def _settings(line: Line, site: Running) -> TcpSettings | SerialSettings:
    timeout_s = line.timeout_ms / 1000
    if line.kind == "serial":
        return SerialSettings(line.id, site.addresses[line.id], line.baudrate, parity="N", timeout_s=timeout_s)
    return TcpSettings(line.id, "127.0.0.1", site.port(line.id), timeout_s)


@asynccontextmanager
async def _drivers(site: Site) -> AsyncIterator[tuple[Running, dict[str, Driver]]]:
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(running(site))
        buses = {line.id: await stack.enter_async_context(create_bus(_settings(line, served))) for line in site.lines}
        yield (
            served,
            {it.id: create_driver(load_profile(it.profile), buses[it.line], it.address) for it in site.devices},
        )


def _quick(folder: Path, serial: Faults | None = None, tcp: Faults | None = None) -> Site:
    """Take the built-in site on free ports and without its waits."""
    site = training_site(folder)
    lines = [replace(line, port=0, paced=False, reply_ms=0, timeout_ms=100) for line in site.lines]
    if serial is not None and tcp is not None:
        lines = [replace(line, faults=serial if line.kind == "serial" else tcp) for line in lines]
    return replace(site, lines=tuple(lines), speed=3600)


async def test_every_point_of_every_live_device_is_read(tmp_path: Path) -> None:
    async with _drivers(_quick(tmp_path)) as (site, drivers):
        for device in site.site.devices:
            if device.dead:
                with pytest.raises(DeviceOffline):
                    await drivers[device.id].read()
                continue
            values = await drivers[device.id].read()
            assert {value.point for value in values} == {point.name for point in drivers[device.id].profile.points}
            assert {value.quantity.quality for value in values} == {Quality.GOOD}
            entries = {it["point"]: it for it in site.journal if it["meter"] == device.id}
            registers = [value for value in values if drivers[device.id].profile.point(value.point).is_register]
            assert {value.point for value in registers} == set(entries)
            for value in registers:
                assert value.quantity.value == Decimal(entries[value.point]["value"])
                assert value.quantity.unit == entries[value.point]["unit"]


async def test_every_modbus_meter_is_read_by_its_profile(tmp_path: Path) -> None:
    profiles = [load_profile(name) for name in profile_names()]
    names = [it.name for it in profiles if it.protocol == "modbus" and it.kind in ("electricity", "water", "heat")]
    text = '[[line]]\nid = "tcp-1"\nkind = "modbus-tcp"\nport = 0\npaced = false\nreply_ms = 0\n'
    for unit, name in enumerate(names, start=1):
        text += f'[[device]]\nid = "d{unit}"\nline = "tcp-1"\nprofile = "{name}"\naddress = "{unit}"\n'
    async with _drivers(site_from(text + f'[site]\njournal = "{tmp_path}/journal"\n', tmp_path)) as (site, drivers):
        for driver in drivers.values():
            values = {value.point: value.quantity for value in await driver.read()}
            assert set(values) == {point.name for point in driver.profile.points}
            assert {quantity.quality for quantity in values.values()} == {Quality.GOOD}, driver.profile.name
            told = [value.quantity.value for value in await driver.probe()]
            assert len(told) == 1
            assert told[0]
        assert {it["meter"] for it in site.journal} == set(drivers)


# Heard, not asked, or with a channel of its own: their own tests play the other end.
NOT_SIMULATED = {"osdp", "ble-lock", "bthome", "beacon", "p1"}
_ADDRESS = {
    "modbus": "{}",
    "dlt645": "2026110000{:02}",
    "cjt188": "202611000000{:02}",
    "mbus": "{}",
    "iec62056": "2026{:04}",
}


def _one_of_each(folder: Path) -> Site:
    """Make a site with every profile that is not a Modbus meter's, a line for each protocol."""
    text = f'[site]\njournal = "{folder}/journal"\n'
    for protocol, address in _ADDRESS.items():
        end = f'"serial"\npath = "{protocol}"\nbaudrate = 9600' if protocol != "modbus" else '"modbus-tcp"\nport = 0'
        text += f'[[line]]\nid = "{protocol}"\nkind = {end}\n'
        profiles = [load_profile(name) for name in profile_names()]
        for number, it in enumerate(it for it in profiles if it.protocol == protocol):
            if protocol == "modbus" and it.kind in ("electricity", "water", "heat"):
                continue
            head = f'[[device]]\nid = "{protocol}-{number}"\nline = "{protocol}"\nprofile = "{it.name}"\n'
            text += head + f'address = "{address.format(number + 1)}"\n'
    return site_from(text, folder)


async def test_every_other_profile_is_simulated_and_read_whole(tmp_path: Path) -> None:
    async with _drivers(_one_of_each(tmp_path)) as (_, drivers), asyncio.TaskGroup() as lines:
        for protocol in _ADDRESS:
            lines.create_task(_read_whole([it for it in drivers.values() if it.profile.protocol == protocol]))


async def _read_whole(drivers: list[Driver]) -> None:
    assert drivers
    for driver in drivers:
        told = {value.point: value.quantity.quality for value in await driver.read()}
        assert told == {point.name: Quality.GOOD for point in driver.profile.points}, driver.profile.name


def test_no_protocol_is_left_without_a_simulator_unsaid() -> None:
    assert {load_profile(name).protocol for name in profile_names()} == NOT_SIMULATED | set(_ADDRESS)


async def test_on_bad_lines_nothing_is_read_that_was_not_served(tmp_path: Path) -> None:
    serial = Faults(drop=0.1, late=0.15, late_s=0.05, noise=0.4, corrupt=0.2, echo=True, preamble=2)
    site = _quick(tmp_path, serial, Faults(drop=0.1, late=0.15, late_s=0.05))
    read: dict[str, list[Decimal]] = {
        it.id: [] for it in site.devices if it.id.startswith(("em", "wm")) and not it.dead
    }

    async def ask(meter: str, driver: Driver) -> None:
        point = driver.profile.probe
        for _ in range(6):
            try:
                (value,) = await driver.read([point])
            except DeviceError:
                continue
            assert value.quantity.value is not None
            read[meter].append(value.quantity.value)

    async with _drivers(site) as (served, drivers):
        async with asyncio.TaskGroup() as asking:
            for meter in read:
                asking.create_task(ask(meter, drivers[meter]))
        for meter, values in read.items():
            told = [Decimal(it["value"]) for it in served.journal if it["meter"] == meter]
            assert told == sorted(told)
            assert len(values) >= 2
            assert values == sorted(values)
            assert set(values) <= set(told)

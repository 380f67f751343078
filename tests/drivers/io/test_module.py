"""I/O modules over a real line: read, switched by order, and every shipped one simulated and read whole."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from drivers.base import WriteOrder
from drivers.bus.settings import SerialSettings, TcpSettings
from drivers.errors import DeviceRefused
from drivers.factory import create_bus, create_driver
from drivers.io.module import IoModule
from drivers.profile import load_profile, profile_names
from drivers.sim.control import ask
from protocols.quantity import Quality
from tests.drivers.sim.served import running, site_from

SITE = """
[site]
seed = 1
journal = "journal.jsonl"

[[line]]
id = "tcp-1"
kind = "modbus-tcp"
port = 0

[[line]]
id = "line-1"
kind = "serial"
path = "line-1"
baudrate = 9600
"""


def order(seconds: int = 60) -> WriteOrder:
    return WriteOrder("test", datetime.now(UTC) + timedelta(seconds=seconds))


def device(number: int, line: str, profile: str) -> str:
    return f'\n[[device]]\nid = "d{number}"\nline = "{line}"\nprofile = "{profile}"\naddress = "{number}"\n'


@pytest.mark.parametrize("line", ["tcp-1", "line-1"])
async def test_an_output_is_switched_by_order_and_reads_back(line: str, tmp_path: Path) -> None:
    site = site_from(SITE + device(1, line, "io/waveshare-io-8ch"), tmp_path)
    control = tmp_path / "control"
    async with running(site, control=control) as served:
        settings = (
            TcpSettings("b", "127.0.0.1", served.port(line))
            if line == "tcp-1"
            else SerialSettings("b", served.addresses[line], 9600, parity="N")
        )
        async with create_bus(settings) as bus:
            module = create_driver(load_profile("io/waveshare-io-8ch"), bus, "1")
            assert isinstance(module, IoModule)
            await module.write("output3", Decimal(1), order())
            await asyncio.to_thread(ask, control, ["input", "d1", "input2", "on"])
            told = {it.point: it.quantity.value for it in await module.read()}
            on = {name for name, value in told.items() if value == 1}
            assert on == {"output3", "input2"}
            assert len(told) == 16
            with pytest.raises(DeviceRefused, match="does not list 'input2' as writable"):
                await module.write("input2", Decimal(1), order())
            with pytest.raises(DeviceRefused, match="expired"):
                await module.write("output3", Decimal(0), order(-1))
            assert [it["what"] for it in served.journal if it.get("what") == "written"] == ["written"]


async def test_every_shipped_module_is_simulated_and_read_whole(tmp_path: Path) -> None:
    names = [name for name in profile_names() if name.startswith(("io/", "valve/", "relay/"))]
    assert len(names) >= 6
    devices = "".join(device(number, "tcp-1", name) for number, name in enumerate(names, start=1))
    async with (
        running(site_from(SITE + devices, tmp_path)) as served,
        create_bus(TcpSettings("b", "127.0.0.1", served.port("tcp-1"))) as bus,
    ):
        for number, name in enumerate(names, start=1):
            values = await create_driver(load_profile(name), bus, str(number)).read()
            assert {it.quantity.quality for it in values} == {Quality.GOOD}, name

"""Our Modbus against peers nobody here wrote: a libmodbus server, and Debian's mbpoll as a client."""

import asyncio
import json
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers.bus.exchange import ModbusRead, ModbusWrite
from drivers.bus.modbus import ModbusTcpBus
from drivers.bus.owner import Bus
from drivers.bus.serial_line import SerialBus
from drivers.bus.settings import SerialSettings, TcpSettings
from drivers.errors import DeviceRefused
from drivers.sim.run import run_site
from drivers.sim.site import Device, Line, Site
from tests.drivers import libmodbus_server
from tests.drivers.peer import crossed_ptys

UNIT = libmodbus_server.UNIT
MBPOLL = shutil.which("mbpoll")
COILS, HOLDING, INPUT, WRITE_COIL, WRITE_REGISTER = 1, 3, 4, 5, 6


def has_libmodbus() -> bool:
    try:
        libmodbus_server.loaded()
    except OSError:
        return False
    return True


needs_libmodbus = pytest.mark.skipif(not has_libmodbus(), reason="Debian's libmodbus5 is not installed")
needs_mbpoll = pytest.mark.skipif(MBPOLL is None, reason="Debian's mbpoll is not installed")


@asynccontextmanager
async def libmodbus(*line: str) -> AsyncIterator[dict[str, str | int]]:
    """Run a libmodbus server as long as the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, libmodbus_server.__file__, *line, stdin=-1, stdout=-1, stderr=-1
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield json.loads(await asyncio.wait_for(process.stdout.readline(), 10))
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.communicate(), 10)


@asynccontextmanager
async def a_line(kind: str, folder: Path) -> AsyncIterator[Bus]:
    """Give our bus with a libmodbus server at its other end."""
    if kind == "tcp":
        async with libmodbus("tcp") as at, ModbusTcpBus(TcpSettings("b", "127.0.0.1", int(at["port"]))) as bus:
            yield bus
        return
    async with (
        crossed_ptys(folder) as (ours, theirs),
        libmodbus("rtu", theirs, "9600", "E"),
        SerialBus(SerialSettings("b", ours, 9600, 8, "E")) as bus,
    ):
        yield bus


@needs_libmodbus
@pytest.mark.parametrize("kind", ["tcp", "rtu"])
async def test_a_libmodbus_server_is_read_written_and_its_refusal_understood(kind: str, tmp_path: Path) -> None:
    async with a_line(kind, tmp_path) as bus:
        held = (await bus.execute(ModbusRead(UNIT, HOLDING, 3, 2, 2.0))).payload
        put_in = (await bus.execute(ModbusRead(UNIT, INPUT, 10, 1, 2.0))).payload
        coils = (await bus.execute(ModbusRead(UNIT, COILS, 0, 11, 2.0))).payload
        assert (held, put_in, list(coils)) == (b"\x10\x03\x10\x04", b"\x20\x0a", [at % 2 for at in range(11)])
        bus.permit(UNIT, WRITE_REGISTER, 5, range(100))
        bus.permit(UNIT, WRITE_COIL, 0, range(2))
        await bus.execute(ModbusWrite(UNIT, WRITE_REGISTER, 5, 42, 2.0))
        await bus.execute(ModbusWrite(UNIT, WRITE_COIL, 0, 1, 2.0))
        assert (await bus.execute(ModbusRead(UNIT, HOLDING, 5, 1, 2.0))).payload == b"\x00\x2a"
        assert list((await bus.execute(ModbusRead(UNIT, COILS, 0, 1, 2.0))).payload) == [1]
        with pytest.raises(DeviceRefused) as refused:
            await bus.execute(ModbusRead(UNIT, HOLDING, libmodbus_server.COUNT, 1, 2.0))
        assert refused.value.code == 2


async def mbpoll(*args: str) -> tuple[int, dict[int, str], str]:
    """Poll once, and give the values by their reference."""
    assert MBPOLL is not None
    process = await asyncio.create_subprocess_exec(MBPOLL, *args, "-1", "-0", stdout=-1, stderr=-1)
    stdout, stderr = await asyncio.wait_for(process.communicate(), 20)
    values = re.findall(r"^\[(\d+)\]:\s+(\S+)", stdout.decode(), re.MULTILINE)
    return process.returncode or 0, {int(at): value for at, value in values}, stdout.decode() + stderr.decode()


@needs_mbpoll
@pytest.mark.parametrize("kind", ["modbus-tcp", "serial"])
async def test_mbpoll_reads_a_simulated_meter(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "line" if kind == "serial" else None
    line = Line("l", kind, path=path, baudrate=9600)
    meter = Device("em-1", "meter", "l", "electricity/eastron-sdm630", "3", mean=400)
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    site = Site((line,), (meter,), seed=1, journal=tmp_path / "journal", state=tmp_path / "state")
    serving = asyncio.create_task(run_site(site, ready=lambda at: ready.set_result(at["l"])))
    try:
        at = await asyncio.wait_for(ready, 10)
        where = ("-m", "rtu", "-b", "9600", "-P", "none") if kind == "serial" else ("-p", at.rpartition(":")[2])
        place = at if kind == "serial" else "127.0.0.1"
        read = ("-a", "3", "-t", "3:float", "-B", "-r", "0", "-c", "3", "-o", "2")
        code, values, said = await mbpoll(*where, *read, place)
        assert code == 0, said
        assert {at: 200 < float(volts) < 260 for at, volts in values.items()} == {0: True, 2: True, 4: True}, said
        code, _, said = await mbpoll(*where, "-a", "3", "-t", "3", "-r", "60000", "-o", "2", place)
        assert "Illegal data address" in said
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

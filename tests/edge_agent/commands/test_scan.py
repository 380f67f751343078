"""``edge scan`` as an engineer uses it: on a converter, on a pty, with Ctrl-C, and with wrong words."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from pymodbus import FramerType
from typer.testing import CliRunner

from edge_agent.cli import app
from tests.drivers.bluez import Station, bluez_on, needs_dbus
from tests.drivers.dlt645_site import peer_of, simulated
from tests.drivers.modbus_server import Unit, modbus_server

UNITS = {3: Unit(holding_words={0: 17})}


async def edge(*args: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "edge_agent", *args, stdout=-1, stderr=-1, env={**os.environ, "COLUMNS": "200"}
    )
    stdout, stderr = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode or 0, stdout.decode(), stderr.decode()


async def scan(*args: str) -> tuple[int, str, str]:
    return await edge("scan", *args)


@pytest.mark.parametrize(
    ("framer", "place"), [(FramerType.SOCKET, "127.0.0.1:{}"), (FramerType.RTU, "tcp://127.0.0.1:{}")]
)
async def test_units_are_found_over_tcp_and_behind_a_converter(framer: FramerType, place: str) -> None:
    async with modbus_server(UNITS, framer=framer) as port:
        more = ("-p", "modbus", "-a", "2", "-a", "3", "--timeout", "0.1", "--json")
        code, stdout, _ = await scan(place.format(port), *more)
    (found,) = json.loads(stdout)["found"]
    assert (code, found["protocol"], found["address"]) == (0, "modbus", "3")


async def test_a_meter_on_a_serial_line_is_found_by_its_wildcard(tmp_path: Path) -> None:
    async with peer_of([simulated("202611000103")], tmp_path) as peer:
        code, stdout, _ = await scan(peer.path, "-p", "dlt645", "-b", "9600", "--timeout", "0.1")
    assert code == 0
    assert "202611000103" in stdout
    assert "electricity/dlt645-2007" in stdout


async def test_ctrl_c_shows_what_was_found_so_far() -> None:
    async with modbus_server(UNITS) as port:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "edge_agent", "scan", f"127.0.0.1:{port}", "--timeout", "0.5", stdout=-1, stderr=-1
        )
        assert process.stderr is not None
        async with asyncio.timeout(20):
            while b"holding register" not in await process.stderr.readline():
                pass
        process.send_signal(signal.SIGINT)
        stdout, _ = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0
    assert "modbus      3" in stdout.decode()


async def test_a_silent_line_says_where_to_look() -> None:
    async with modbus_server({}) as port:
        code, stdout, _ = await scan(f"127.0.0.1:{port}", "-a", "1", "--timeout", "0.05")
    assert code == 1
    assert "Check the wiring" in stdout


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("/dev/ttyNONE", "-p", "modbus"), 1, "There is no serial port /dev/ttyNONE"),
        (("127.0.0.1:9", "-p", "mbus"), 2, "carries none of mbus"),
        (("/dev/ttyNONE", "-p", "morse"), 2, "There are: modbus, dlt645, cjt188, mbus, osdp, ble."),
        (("/dev/ttyNONE", "--parity", "Q"), 2, "Say N, E or O."),
    ],
)
def test_a_wrong_word_is_met_with_the_right_ones(args: tuple[str, ...], code: int, words: str) -> None:
    done = CliRunner().invoke(app, ["scan", *args])
    assert done.exit_code == code
    assert words in done.stderr


@needs_dbus
async def test_what_advertises_around_an_adapter_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bluez_on(tmp_path, monkeypatch) as bluez:
        bluez.place(Station("A4:C1:38:00:00:01", {"fcd2": bytes.fromhex("4002C40903BF13")}))
        code, stdout, _ = await scan("hci0", "--timeout", "1")
        assert code == 0
        assert "sensor/bthome-thermometer" in stdout
        code, stdout, _ = await edge("probe", "hci0", "A4:C1:38:00:00:01")
        assert (code, "Take the profile 'sensor/bthome-thermometer'." in stdout) == (0, True)
        bluez.pull_out()
        code, _, stderr = await scan("ble", "-p", "ble", "--timeout", "1")
        assert (code, "There is no Bluetooth adapter 'hci0'. Plug one in" in stderr) == (1, True)

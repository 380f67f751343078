"""A line of OSDP readers against libosdp's own devices, on a pseudo-terminal and through a converter."""

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from drivers.bus import osdp as osdp_module
from drivers.bus.exchange import OsdpCommand
from drivers.bus.osdp import BUZZER, INPUTS, LOCAL, REPORT_NUMBERS, STATUS, OsdpBus
from drivers.bus.osdp_device import DeviceModel
from drivers.bus.osdp_key import KeyRefused, make_key, read_key
from drivers.bus.osdp_reader import Reader
from drivers.bus.owner import BusState
from drivers.bus.settings import OsdpSettings
from drivers.errors import BusDown, DeviceOffline, DeviceRefused, DriverError
from drivers.sim.osdp import SimulatedOsdpLine
from protocols.osdp.channel import DEFAULT_KEY

TONE = (("reader", 0), ("control_code", 2), ("on_count", 1), ("off_count", 1), ("rep_count", 2))


def key_file(folder: Path, key: bytes, name: str = "reader.key") -> Path:
    path = folder / name
    path.touch(mode=0o600)
    path.write_text(key.hex() + "\n")
    return path


@contextmanager
def line_of(*models: DeviceModel) -> Iterator[SimulatedOsdpLine]:
    with SimulatedOsdpLine(models) as line:
        yield line


@asynccontextmanager
async def open_bus(bus: OsdpBus) -> AsyncIterator[OsdpBus]:
    async with bus:
        await until(lambda: bus.state is BusState.UP)
        yield bus


async def until(condition: Callable[[], object], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def online(reader: Reader, seconds: float = 5) -> None:
    await until(lambda: reader.is_online and reader.is_secure, seconds)


async def fails(error: type[Exception], ask: Callable[[], Awaitable[object]], seconds: float = 5) -> str:
    """Ask again and again until it fails as expected; gives the reason."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                await ask()
            except error as found:
                return str(found)
            await asyncio.sleep(0.02)


async def test_a_reader_is_in_its_secure_channel_within_seconds_though_five_others_are_dead(tmp_path: Path) -> None:
    key = secrets.token_bytes(16)
    with line_of(DeviceModel(5, key)) as line:
        bus = OsdpBus(OsdpSettings("doors", line.path))
        reader = bus.add_reader(5, key_file(tmp_path, key))
        dead = bus.add_reader(9, key_file(tmp_path, secrets.token_bytes(16), "dead.key"))
        for address in range(10, 14):
            bus.add_reader(address, key_file(tmp_path, secrets.token_bytes(16), f"{address}.key"))
        async with open_bus(bus):
            await online(reader, 3)
            line.show_card(5, 26, 0xB40288)
            async with asyncio.timeout(2):
                await until(lambda: reader.counter == 1)
            assert reader.card is not None
            assert (reader.card.bits, reader.card.number) == (26, 0xB40288)
            line.press(5, b"12\x7f\x0d")
            await until(lambda: reader.keys == "12*#")
            with pytest.raises(DeviceOffline, match="Check its power, the wires A and B, its address"):
                bus.check_reader(dead.address)
            answer = await bus.execute(OsdpCommand(5, STATUS, REPORT_NUMBERS[LOCAL], 0))
            assert answer.payload == b"\0\0"


async def test_only_what_is_permitted_goes_out(tmp_path: Path) -> None:
    key = secrets.token_bytes(16)
    with line_of(DeviceModel(5, key)) as line:
        bus = OsdpBus(OsdpSettings("doors", line.path))
        reader = bus.add_reader(5, key_file(tmp_path, key))
        bus.permit(5, BUZZER, 0, range(1, 4))
        async with open_bus(bus):
            await online(reader)
            with pytest.raises(DriverError, match="is not permitted: its profile does not list it"):
                await bus.execute(OsdpCommand(5, 0x68, 0, 10, (("output_no", 0),)))
            with pytest.raises(DriverError, match="is not permitted"):
                await bus.execute(OsdpCommand(5, BUZZER, 0, 9, TONE))
            await bus.execute(OsdpCommand(5, BUZZER, 0, 2, TONE))
            assert (line.doors[5].tones, line.doors[5].pulses) == ([2], [])


async def test_a_reader_that_falls_silent_is_missed_in_time_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(osdp_module, "_SILENT_S", 0.7)
    key = secrets.token_bytes(16)
    with line_of(DeviceModel(5, key)) as line:
        bus = OsdpBus(OsdpSettings("doors", line.path))
        reader = bus.add_reader(5, key_file(tmp_path, key))
        async with open_bus(bus):
            await online(reader)
            line.doors[5].is_silent = True
            began = time.monotonic()

            async def ask() -> None:
                bus.check_reader(5)

            assert "has fallen silent" in await fails(DeviceOffline, ask)
            assert time.monotonic() - began < 1.5
            line.doors[5].is_silent = False
            await until(lambda: not reader.is_online)
            await online(reader)
            bus.check_reader(5)


async def test_a_command_that_nobody_waits_for_any_more_is_not_carried_out_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(osdp_module, "_SILENT_S", 0.6)
    key = secrets.token_bytes(16)
    with line_of(DeviceModel(5, key)) as line:
        bus = OsdpBus(OsdpSettings("doors", line.path))
        reader = bus.add_reader(5, key_file(tmp_path, key))
        bus.permit(5, BUZZER, 0, range(1, 4))
        async with open_bus(bus):
            await online(reader)
            line.doors[5].is_silent = True
            with pytest.raises(DeviceOffline, match="did not answer in time"):
                await bus.execute(OsdpCommand(5, BUZZER, 0, 2, TONE, timeout_s=0.3))
            await until(lambda: not reader.is_online)
            line.doors[5].is_silent = False
            await online(reader)
            await asyncio.sleep(0.3)
            assert line.doors[5].tones == []


async def test_a_reader_that_refuses_a_question_is_taken_up_again_and_not_asked_twice(tmp_path: Path) -> None:
    key = secrets.token_bytes(16)
    with line_of(DeviceModel(5, key)) as line:
        line.doors[5].is_reserved = True  # libosdp's device cannot answer what its contacts are; it can only tell
        bus = OsdpBus(OsdpSettings("doors", line.path))
        reader = bus.add_reader(5, key_file(tmp_path, key))
        ask = OsdpCommand(5, STATUS, REPORT_NUMBERS[INPUTS], 0)
        async with open_bus(bus):
            await online(reader)
            with pytest.raises(DeviceRefused):
                await bus.execute(ask)
            await until(lambda: not reader.is_online)
            await online(reader, 4)  # the library by itself would leave it alone for 300 s
            with pytest.raises(DeviceRefused, match="does not report its inputs"):
                await bus.execute(ask)
            await asyncio.sleep(0.5)
            assert reader.is_online


async def test_a_new_reader_is_given_a_key_of_its_own_and_the_default_one_serves_no_more(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "reader.key"
    with line_of(DeviceModel(5, None)) as line:
        bus = OsdpBus(OsdpSettings("doors", line.path))
        reader = bus.add_reader(5, path, is_installing=True)
        async with open_bus(bus):
            await until(lambda: line.doors[5].has_new_key)
            await until(lambda: reader.is_secure and not reader.uses_default_key)
        assert path.stat().st_mode & 0o777 == 0o600
        assert read_key(path) != DEFAULT_KEY
        bus = OsdpBus(OsdpSettings("doors", line.path))
        reader = bus.add_reader(5, path)
        async with open_bus(bus):
            await online(reader)


async def test_a_reader_that_takes_no_key_of_its_own_opens_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(osdp_module, "_HANDSHAKE_S", 0.0)
    with line_of(DeviceModel(5, None)) as line:
        line.doors[5].refuses_key = True
        bus = OsdpBus(OsdpSettings("doors", line.path))
        reader = bus.add_reader(5, tmp_path / "reader.key", is_installing=True)
        bus.permit(5, BUZZER, 0, range(1, 4))
        async with open_bus(bus):
            await until(lambda: line.doors[5].keys_refused)
            line.show_card(5, 26, 0xB40288)
            with pytest.raises(DriverError):
                await bus.execute(OsdpCommand(5, BUZZER, 0, 2, TONE))
            await asyncio.sleep(0.3)
            assert "takes neither the key" in await fails(
                DeviceOffline, lambda: bus.execute(OsdpCommand(5, STATUS, 2, 0))
            )
            assert (reader.counter, line.doors[5].tones) == (0, [])


async def test_an_adapter_that_gives_back_what_is_sent_does_no_harm(tmp_path: Path) -> None:
    key = secrets.token_bytes(16)
    with SimulatedOsdpLine([DeviceModel(5, key)], echo=True) as line:
        bus = OsdpBus(OsdpSettings("doors", line.path))
        reader = bus.add_reader(5, key_file(tmp_path, key))
        async with open_bus(bus):
            await online(reader)
            await asyncio.sleep(0.5)
            bus.check_reader(5)


async def test_a_reader_with_the_default_key_is_refused_where_none_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(osdp_module, "_HANDSHAKE_S", 0.3)
    with line_of(DeviceModel(5, None)) as line:
        bus = OsdpBus(OsdpSettings("doors", line.path))
        reader = bus.add_reader(5, key_file(tmp_path, secrets.token_bytes(16)))
        async with open_bus(bus):
            await asyncio.sleep(0.8)
            with pytest.raises(DeviceOffline, match=r"no secure channel with it.*set install_mode = true"):
                bus.check_reader(5)
            assert not reader.is_online
            assert not line.doors[5].has_new_key


async def test_a_key_that_is_missing_open_to_others_or_the_default_one_is_told_with_its_remedy(tmp_path: Path) -> None:
    good = key_file(tmp_path, secrets.token_bytes(16))
    assert read_key(good) == make_key(good), "a key that is there already is kept"
    with pytest.raises(KeyRefused, match=r"cannot be read.*install_mode"):
        read_key(tmp_path / "none.key")
    with pytest.raises(KeyRefused, match="default key, which everybody knows"):
        read_key(key_file(tmp_path, DEFAULT_KEY, "default.key"))
    with pytest.raises(KeyRefused, match="32 hex digits"):
        read_key(key_file(tmp_path, b"short", "short.key"))
    good.chmod(0o640)
    with pytest.raises(KeyRefused, match=r"others can read the key.*chmod 600"):
        read_key(good)
    with line_of() as line:
        bus = OsdpBus(OsdpSettings("doors", line.path))
        bus.add_reader(5, good)
        bus.add_reader(6, None)
        async with open_bus(bus):
            with pytest.raises(DeviceRefused, match="chmod 600"):
                bus.check_reader(5)
            with pytest.raises(DeviceRefused, match="has no key_file"):
                bus.check_reader(6)


async def test_a_line_that_is_not_there_is_told_and_one_that_is_lost_is_opened_again(tmp_path: Path) -> None:
    key = secrets.token_bytes(16)
    port = tmp_path / "port"
    path = key_file(tmp_path, key)
    bus = OsdpBus(OsdpSettings("doors", str(port)), first_pause_s=0.05)
    reader = bus.add_reader(5, path)
    command = OsdpCommand(5, STATUS, REPORT_NUMBERS[LOCAL], 0)
    async with bus:
        assert "There is no serial port" in await fails(BusDown, lambda: bus.execute(command))
        with line_of(DeviceModel(5, key)) as line:
            port.symlink_to(line.path)
            await online(reader)
        await until(lambda: bus.state is BusState.DOWN and not reader.is_online)
        port.unlink()
        with line_of(DeviceModel(5, key)) as line:
            port.symlink_to(line.path)
            await online(reader, 8)


async def test_a_reader_behind_a_converter_is_reached_over_tcp(tmp_path: Path) -> None:
    key = secrets.token_bytes(16)
    with line_of(DeviceModel(5, key)) as line:
        fd = os.open(line.path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
        loop = asyncio.get_running_loop()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            loop.add_reader(fd, lambda: writer.write(os.read(fd, 4096)))
            while data := await reader.read(4096):
                os.write(fd, data)
            loop.remove_reader(fd)
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            tcp_port = server.sockets[0].getsockname()[1]
            bus = OsdpBus(OsdpSettings("doors", host="127.0.0.1", tcp_port=tcp_port))
            reader = bus.add_reader(5, key_file(tmp_path, key))
            async with open_bus(bus):
                await online(reader)
        os.close(fd)
    bus = OsdpBus(OsdpSettings("doors", host="127.0.0.1", tcp_port=tcp_port))
    async with bus:
        reason = await fails(BusDown, lambda: bus.execute(OsdpCommand(5, STATUS, 2, 0)))
        assert "converter" in reason
        assert "cannot be reached" in reason


async def test_a_line_has_room_for_so_many_devices_and_no_more() -> None:
    bus = OsdpBus(OsdpSettings("doors", "/dev/null"))
    for address in range(32):
        bus.add_reader(address, None)
    with pytest.raises(DriverError, match="Give the others a line"):
        bus.add_reader(32, None)

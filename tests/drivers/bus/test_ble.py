"""The owner of a Bluetooth adapter, through bleak and a BlueZ of our own."""

import asyncio
import re
from pathlib import Path

import pytest

from drivers.bus import ble
from drivers.bus.ble import BleBus, Heard
from drivers.bus.ble_adapter import blocked_by
from drivers.bus.owner import BusState
from drivers.bus.settings import BleSettings
from drivers.errors import BusDown
from tests.drivers.bluez import Station, bluez_on, needs_dbus
from tests.drivers.peer import eventually

pytestmark = needs_dbus
ADDRESS = "A4:C1:38:11:22:33"
SETTINGS = BleSettings("yard", silent_s=0.5)


def quick(settings: BleSettings = SETTINGS) -> BleBus:
    return BleBus(settings, first_pause_s=0.05, watch_s=0.05)


async def why_down(bus: BleBus) -> str:
    """Give why a bus does not come up."""
    async with bus:
        with pytest.raises(BusDown) as down:
            await bus.first_word(lambda: False, 5)
        return down.value.reason


async def test_everybody_on_the_air_is_heard_also_when_they_say_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bluez_on(tmp_path, monkeypatch) as bluez, quick() as bus, asyncio.timeout(10):
        told: list[Heard] = []
        bus.listen(told.append, ADDRESS)
        bluez.place(Station(ADDRESS, {"fcd2": b"\x40\x01\x64"}, {0x004C: b"\x02\x15"}, rssi=-48))
        bluez.place(Station("C0:00:00:00:00:01", {}, {0xFFFF: b"x"}))
        await eventually(lambda: len(told) >= 3 and bus.last("C0:00:00:00:00:01") is not None)
        heard = told[0].advertisement
        assert (heard.address, heard.rssi, heard.service_data, heard.manufacturer_data) == (
            ADDRESS,
            -48,
            {"fcd2": b"\x40\x01\x64"},
            {0x004C: b"\x02\x15"},
        )
        assert told[2].at > told[1].at > told[0].at
        assert bluez.adapter.filters == {"Transport": "le", "DuplicateData": True}


async def test_a_crowd_of_addresses_cannot_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ble, "MOST_HEARD", 8)
    async with bluez_on(tmp_path, monkeypatch) as bluez, quick() as bus, asyncio.timeout(10):
        for number in range(30):
            bluez.place(Station(f"C0:00:00:00:00:{number:02X}"))
        await eventually(lambda: bus.last("C0:00:00:00:00:1D") is not None)
        assert len(list(bus.heard)) == 8


async def test_an_adapter_that_is_pulled_out_is_named_and_comes_back_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bluez_on(tmp_path, monkeypatch) as bluez, quick() as bus, asyncio.timeout(20):
        bluez.place(Station(ADDRESS))
        await eventually(lambda: bus.last(ADDRESS) is not None)
        bluez.pull_out()
        await eventually(lambda: bus.state is BusState.DOWN)
        assert bus.error is not None
        assert bus.error.startswith("There is no Bluetooth adapter 'hci0'. Plug one in")
        before = bus.last(ADDRESS)
        bluez.plug_in()
        await eventually(lambda: bus.state is BusState.UP and bus.last(ADDRESS) is not before, timeout_s=8)


async def test_a_radio_that_is_switched_off_says_how_to_switch_it_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bluez_on(tmp_path, monkeypatch) as bluez, quick() as bus, asyncio.timeout(20):
        await eventually(lambda: bus.state is BusState.UP)
        bluez.switch(is_on=False)
        await eventually(lambda: bus.state is BusState.DOWN)
        assert bus.error is not None
        assert "switched off" in bus.error or "blocked" in bus.error
        bluez.switch(is_on=True)
        await eventually(lambda: bus.state is BusState.UP, timeout_s=8)


async def test_a_scan_that_goes_silent_or_is_ended_by_another_program_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bluez_on(tmp_path, monkeypatch) as bluez, quick() as bus, asyncio.timeout(20):
        bluez.place(Station(ADDRESS))
        await eventually(lambda: bus.last(ADDRESS) is not None)
        starts = bluez.adapter.starts
        bluez.adapter.is_discovering = False
        await eventually(lambda: bluez.adapter.starts > starts)
        bluez.is_mute = True
        starts = bluez.adapter.starts
        await eventually(lambda: bluez.adapter.starts > starts)
        assert bus.state is BusState.UP
        assert bus.restarts >= 2


async def test_it_only_listens_where_it_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passive = BleSettings("yard", scan="passive")
    async with bluez_on(tmp_path, monkeypatch, can_monitor=True) as bluez, quick(passive) as bus, asyncio.timeout(10):
        bluez.place(Station(ADDRESS))
        await eventually(lambda: bus.last(ADDRESS) is not None)
        assert bluez.adapter.starts == 0


@pytest.mark.parametrize(
    ("settings", "refuses", "sentence"),
    [
        (BleSettings("yard", "hci7"), False, "no Bluetooth adapter 'hci7'. There are: hci0. Correct 'adapter'"),
        (BleSettings("yard", scan="passive"), False, 'does not scan .* --experimental.* Set scan = "active"'),
        (BleSettings("yard"), True, "does not scan.*Operation already in progress.*systemctl restart bluetooth"),
    ],
)
async def test_an_adapter_that_is_not_there_or_refuses_is_told_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: BleSettings, refuses: bool, sentence: str
) -> None:
    async with bluez_on(tmp_path, monkeypatch) as bluez, asyncio.timeout(10):
        bluez.refuses_to_scan = refuses
        reason = await why_down(quick(settings))
        assert re.search(sentence, reason), reason


async def test_without_bluez_or_without_a_bus_the_packages_to_install_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bluez_on(tmp_path, monkeypatch) as bluez, asyncio.timeout(10):
        bluez.stop()
        reason = await why_down(quick())
        assert reason.startswith("BlueZ does not run, so the bus 'yard' hears nothing.")
        assert "apt install bluez" in reason
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'none'}")
    assert "There is no system D-Bus" in await why_down(quick())


async def test_a_dbus_that_dies_takes_the_bus_down_and_not_the_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asyncio.timeout(10), quick() as bus:
        async with bluez_on(tmp_path, monkeypatch) as bluez:
            bluez.place(Station(ADDRESS))
            await eventually(lambda: bus.last(ADDRESS) is not None, timeout_s=8)
        await eventually(lambda: bus.state is BusState.DOWN)
        assert bus.error is not None


def test_a_radio_that_the_kernel_holds_off_is_told_from_one_that_is_only_switched_off(tmp_path: Path) -> None:
    def switch(name: str, kind: str, soft: str, hard: str) -> None:
        (tmp_path / name).mkdir(exist_ok=True)
        for file, text in (("type", kind), ("soft", soft), ("hard", hard)):
            (tmp_path / name / file).write_text(text + "\n")

    assert blocked_by(tmp_path / "none") is None
    switch("rfkill0", "wlan", "1", "1")
    assert blocked_by(tmp_path) is None
    switch("rfkill1", "bluetooth", "1", "0")
    assert blocked_by(tmp_path) == "soft"
    switch("rfkill1", "bluetooth", "1", "1")
    assert blocked_by(tmp_path) == "hard"

"""A door that is one OSDP device, against libosdp's own."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers.access import osdp as access
from drivers.access.osdp import OsdpDoor
from drivers.base import CardRead, Options
from drivers.bus.osdp import OsdpBus
from drivers.bus.osdp_device import DeviceModel
from drivers.bus.settings import OsdpSettings
from drivers.errors import DeviceRefused
from drivers.factory import complaint, create_driver
from drivers.profile import load_profile, parse_profile
from drivers.sim.osdp import SimulatedOsdpLine
from protocols.quantity import Quality

PROFILE = load_profile("access/generic-osdp")


@asynccontextmanager
async def door_of(
    folder: Path, model: DeviceModel, *, is_reserved: bool = False
) -> AsyncIterator[tuple[OsdpDoor, SimulatedOsdpLine]]:
    path = folder / "reader.key"
    path.touch(mode=0o600)
    path.write_text((model.key or b"").hex())
    with SimulatedOsdpLine([model]) as line:
        line.doors[5].is_reserved = is_reserved
        bus = OsdpBus(OsdpSettings("doors", line.path))
        door = create_driver(PROFILE, bus, "5", Options(key_file=path))
        assert isinstance(door, OsdpDoor)
        async with bus, asyncio.timeout(10):
            await door.read_door()  # waits for the first session
            yield door, line


async def test_a_door_tells_its_contacts_its_card_and_its_keys_and_opens_for_a_moment(tmp_path: Path) -> None:
    async with door_of(tmp_path, DeviceModel(5, secrets.token_bytes(16))) as (door, line):
        status = await door.read_door()
        assert (status.door, status.lock, status.tamper, status.key) == ("closed", "locked", "ok", "own")
        assert await door.read_card() == CardRead(0, 0, 0)
        await asyncio.sleep(0.6)
        line.show_card(5, 26, 0xB40288)
        await door.card_shown()
        assert await door.read_card() == CardRead(1, 26, 0xB40288)
        line.press(5, b"42\x0d")
        sim = line.doors[5]
        await door.open_door(3_000)
        await door.open_door(60_000)
        assert sim.pulses == [(0, 30), (0, 255)], "the library keeps one byte of tenths"
        await door.show_decision(is_granted=True)
        await door.show_decision(is_granted=False)
        assert (sim.colours, sim.tones) == ([2, 1], [2, 3])
        sim.is_tampered, sim.has_power_failed, sim.contacts[0] = True, True, 1
        while (status := await door.read_door()).door != "open":
            await asyncio.sleep(0.02)
        assert (status.tamper, status.lock) == ("tampered", "unlocked")
        assert door.take_keys() == "42#"
        assert door.take_keys() == ""
        assert [it.quantity.value for it in await door.read(["powerState"])] == [1]


async def test_a_card_that_waited_in_the_reader_is_told_as_old(tmp_path: Path) -> None:
    async with door_of(tmp_path, DeviceModel(5, secrets.token_bytes(16))) as (door, line):
        line.show_card(5, 26, 1)  # within the reader's first moments in the session: nobody knows since when it has it
        await asyncio.sleep(0.3)
        card = await door.read_card()
        assert card is not None
        assert (card.counter, card.age_s > 3) == (1, True)


async def test_a_reader_without_lamp_buzzer_or_contacts_is_not_asked_for_them(tmp_path: Path) -> None:
    bare = DeviceModel(5, secrets.token_bytes(16), contacts=0, has_lamp=False, has_buzzer=False)
    async with door_of(tmp_path, bare) as (door, line):
        await door.show_decision(is_granted=True)
        assert line.doors[5].colours == line.doors[5].tones == []
        values = {it.point: it.quantity.quality for it in await door.read()}
        assert values["doorState"] is Quality.NOT_AVAILABLE
        assert values["tamper"] is Quality.GOOD
        assert (await door.read_door()).door is None


async def test_a_reader_that_tells_no_change_by_itself_is_asked_again_and_another_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "_REFRESH_S", 0.1)
    async with door_of(tmp_path, DeviceModel(5, secrets.token_bytes(16), contacts=0, outputs=0)) as (door, line):
        await asyncio.sleep(0.5)
        await door.read(["tamper"])
        assert line.doors[5].questions == 0
    async with door_of(tmp_path, DeviceModel(5, secrets.token_bytes(16), 0, 0), is_reserved=True) as (door, line):
        before = line.doors[5].questions
        await asyncio.sleep(0.2)
        await door.read(["tamper"])
        assert line.doors[5].questions == before + 1


async def test_a_door_without_a_relay_is_not_opened(tmp_path: Path) -> None:
    text = Path(PROFILE.file).read_text().replace("[relay]\noutput = 0", "")
    bus = OsdpBus(OsdpSettings("doors", "/dev/null"))
    door = OsdpDoor(parse_profile(text, "x/y", "y.toml"), bus, "5", Options())
    with pytest.raises(DeviceRefused, match=r"lists no \[relay\]"):
        await door.open_door(1_000)


def test_a_door_stands_on_an_osdp_bus_at_an_osdp_address() -> None:
    assert complaint(PROFILE, "osdp", "126") is None
    assert "write a number from 0 to 126" in (complaint(PROFILE, "osdp", "127") or "")
    assert "does not carry" in (complaint(PROFILE, "serial", "1") or "")

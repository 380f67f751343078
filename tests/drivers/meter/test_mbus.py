"""The M-Bus driver at a pty line of simulated meters."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from drivers.base import Driver, Options, WriteOrder
from drivers.bus.owner import Bus
from drivers.bus.serial_line import SerialBus
from drivers.bus.settings import SerialSettings
from drivers.errors import DeviceBusy, DeviceOffline, DeviceRefused, ProfileError
from drivers.factory import create_driver
from drivers.profile import load_profile, parse_profile
from drivers.sim.mbus_meter import MbusMeter, MbusStation
from protocols.mbus import frame as link
from protocols.mbus.address import parse_secondary
from protocols.mbus.frame import RSP_UD, Frame
from protocols.mbus.header import Header, encode_header
from protocols.mbus.record import encode_record
from protocols.quantity import Quality
from tests.drivers.peer import PtyPeer, Reply, pty_peer
from tests.drivers.profile.test_mbus import PROFILE

OWN = parse_secondary("068558172D2C0804")
OTHER = parse_secondary("068558182D2C0804")
TIMEOUT_S = 0.1


def heat(energy: int = 37351) -> list[bytes]:
    return [
        encode_record("06", energy),
        encode_record("14", 56108),
        encode_record("2D", 347),
        encode_record("59", 10169),
        encode_record("06", 33361, storage=1),
    ]


def long_list() -> list[bytes]:
    """Records for three telegrams; the settlement day's energy comes last."""
    return [*heat()[:4], *(encode_record("14", number, storage=number) for number in range(2, 62)), heat()[4]]


def line(*meters: MbusMeter) -> Callable[[bytes, Any], Reply]:
    station = MbusStation(meters, lambda _: ())

    def answer(request: bytes, _: object) -> Reply:
        answers = [compose() for compose in station.feed(request)]
        return [(0, answer.data) for answer in answers if answer is not None]

    return answer


@asynccontextmanager
async def bus_at(answer: Callable[[bytes, Any], Reply], folder: Path) -> AsyncIterator[tuple[Bus, PtyPeer]]:
    async with pty_peer("mbus", answer, folder) as peer:
        settings = SerialSettings("line-1", peer.path, baudrate=115200, timeout_s=TIMEOUT_S)
        async with SerialBus(settings) as bus:
            yield bus, peer


def meter(bus: Bus, address: str, profile: str = "heat/mbus-generic") -> Driver:
    return create_driver(load_profile(profile), bus, address, Options())


def controls(peer: PtyPeer) -> list[str]:
    return [f"{request[1] if request[0] == link.SHORT else request[4]:02X}" for request in peer.requests]


async def numbers(driver: Driver, points: Sequence[str] | None = None) -> dict[str, str]:
    return {value.point: f"{value.quantity.value} {value.quantity.unit}" for value in await driver.read(points)}


async def test_a_meter_is_reset_and_asked_once(tmp_path: Path) -> None:
    async with bus_at(line(MbusMeter(5, OWN, heat)), tmp_path) as (bus, peer):
        found = await numbers(meter(bus, "5"), ["energyTotal", "volumeTotal", "powerTotal", "supplyTemperature"])
    assert found == {
        "energyTotal": "37351 kWh",
        "volumeTotal": "561.08 m3",
        "powerTotal": "34700 W",
        "supplyTemperature": "101.69 degC",
    }
    assert controls(peer) == ["40", "7B"]


async def test_what_a_meter_does_not_send_is_not_available(tmp_path: Path) -> None:
    async with bus_at(line(MbusMeter(5, OWN, heat, status=0x04)), tmp_path) as (bus, _):
        values = {value.point: value.quantity for value in await meter(bus, "5").read()}
    assert values["flowRate"].quality is Quality.NOT_AVAILABLE
    assert values["settlementEnergy"].value == 33361
    assert values["batteryLow"].value == 1


async def test_a_meter_is_selected_by_its_identification(tmp_path: Path) -> None:
    meters = MbusMeter(0, OWN, heat), MbusMeter(0, OTHER, lambda: heat(11))
    async with bus_at(line(*meters), tmp_path) as (bus, peer):
        assert await numbers(meter(bus, "06855818"), ["energyTotal"]) == {"energyTotal": "11 kWh"}
        assert await numbers(meter(bus, "068558172D2C0804"), ["energyTotal"]) == {"energyTotal": "37351 kWh"}
    assert controls(peer) == ["53", "7B"] * 2


async def test_more_telegrams_are_asked_for_with_a_toggled_bit(tmp_path: Path) -> None:
    async with bus_at(line(MbusMeter(5, OWN, long_list)), tmp_path) as (bus, peer):
        found = await numbers(meter(bus, "5"), ["energyTotal", "settlementEnergy"])
        assert found == {"energyTotal": "37351 kWh", "settlementEnergy": "33361 kWh"}
        assert controls(peer) == ["40", "7B", "5B", "7B"]
        peer.requests.clear()
        await meter(bus, "5").read(["energyTotal"])
        assert controls(peer) == ["40", "7B"], "what is in the first telegram needs no others"


async def test_two_drivers_never_ask_between_the_others_selection_and_question(tmp_path: Path) -> None:
    meters = MbusMeter(0, OWN, heat), MbusMeter(0, OTHER, lambda: heat(11))
    async with bus_at(line(*meters), tmp_path) as (bus, peer):
        drivers = [meter(bus, "06855817"), meter(bus, "06855818")] * 3
        found = await asyncio.gather(*(numbers(driver, ["energyTotal"]) for driver in drivers))
    assert [it["energyTotal"] for it in found] == ["37351 kWh", "11 kWh"] * 3
    assert controls(peer) == ["53", "7B"] * 6


async def test_a_broken_answer_is_asked_for_again_with_the_same_bit(tmp_path: Path) -> None:
    station = line(MbusMeter(5, OWN, heat))
    broken = [True]

    def answer(request: bytes, frame: Any) -> Reply:
        replies = station(request, frame)
        if request[1] == 0x7B and broken:
            broken.pop()
            return [(delay, data[:-2] + b"\x00\x16") for delay, data in replies]
        return replies

    async with bus_at(answer, tmp_path) as (bus, peer):
        assert await numbers(meter(bus, "5"), ["energyTotal"]) == {"energyTotal": "37351 kWh"}
    assert controls(peer) == ["40", "7B", "7B"]


async def test_a_meter_without_a_frame_count_bit_is_not_asked_for_ever(tmp_path: Path) -> None:
    data = encode_header(Header(OWN, 1, 0)) + encode_record("06", 5) + b"\x1f"
    always = link.encode_frame(Frame(RSP_UD, 5, 0x72, data))

    def answer(request: bytes, _: object) -> Reply:
        return [(0, always if request[1] & 0x0F == 0x0B else b"\xe5")]

    async with bus_at(answer, tmp_path) as (bus, peer):
        values = {value.point: value.quantity for value in await meter(bus, "5").read()}
    assert values["energyTotal"].value == 5
    assert controls(peer) == ["40", "7B", "5B"]


async def test_behind_a_damaged_record_nothing_is_called_absent(tmp_path: Path) -> None:
    data = encode_header(Header(OWN, 1, 0)) + encode_record("06", 5) + b"\x04\x14\x00"
    cut = link.encode_frame(Frame(RSP_UD, 5, 0x72, data))

    def answer(request: bytes, _: object) -> Reply:
        return [(0, cut if request[1] & 0x0F == 0x0B else b"\xe5")]

    async with bus_at(answer, tmp_path) as (bus, _):
        values = {value.point: value for value in await meter(bus, "5").read(["energyTotal", "volumeTotal"])}
    assert values["energyTotal"].quantity.value == 5
    assert values["volumeTotal"].quantity.quality is Quality.INVALID
    assert values["volumeTotal"].raw == cut


@pytest.mark.parametrize(
    ("ci", "data", "error", "match"),
    [
        (0x70, b"\x08", DeviceBusy, "busy"),
        (0x70, b"\x01", DeviceRefused, "control information"),
        (0x72, encode_header(Header(OWN, 1, 0, 0x0510)) + bytes(16), DeviceRefused, "encrypted: give"),
    ],
)
async def test_a_refusal_is_told_as_one(
    tmp_path: Path, ci: int, data: bytes, error: type[Exception], match: str
) -> None:
    refusal = link.encode_frame(Frame(RSP_UD, 5, ci, data))

    def answer(request: bytes, _: object) -> Reply:
        return [(0, refusal if request[1] & 0x0F == 0x0B else b"\xe5")]

    async with bus_at(answer, tmp_path) as (bus, _):
        with pytest.raises(error, match=match):
            await meter(bus, "5").read()


async def test_the_answer_of_another_meter_is_not_believed(tmp_path: Path) -> None:
    wrong = link.encode_frame(Frame(RSP_UD, 6, 0x72, encode_header(Header(OTHER, 1, 0)) + heat()[0]))

    def answer(request: bytes, frame: Frame) -> Reply:
        return [(0, wrong if frame.ci is None and request[1] & 0x0F == 0x0B else b"\xe5")]

    async with bus_at(answer, tmp_path) as (bus, _):
        with pytest.raises(DeviceOffline, match="meter 6 answered instead of 5"):
            await meter(bus, "5").read()
        with pytest.raises(DeviceOffline, match="068558182D2C0804 answered"):
            await meter(bus, "06855817").read()


async def test_an_old_meter_is_known_by_its_identification_alone(tmp_path: Path) -> None:
    fixed = bytes.fromhex("17588506 0A 00 E97E 01000000 35010000".replace(" ", ""))
    answers = link.encode_frame(Frame(RSP_UD, 5, 0x73, fixed))

    def answer(request: bytes, frame: Frame) -> Reply:
        return [(0, answers if frame.ci is None and request[1] & 0x0F == 0x0B else b"\xe5")]

    async with bus_at(answer, tmp_path) as (bus, _):
        assert await numbers(meter(bus, "06855817", "water/mbus-generic"), ["volumeTotal"]) == {
            "volumeTotal": "0.001 m3"
        }
        with pytest.raises(DeviceOffline, match="06855817 answered instead of 06855818"):
            await meter(bus, "06855818").read()


async def test_a_meter_that_does_not_name_itself_is_read_by_its_number_only(tmp_path: Path) -> None:
    answers = link.encode_frame(Frame(RSP_UD, 5, 0x78, heat()[0]))

    def answer(request: bytes, frame: Frame) -> Reply:
        return [(0, answers if frame.ci is None and request[1] & 0x0F == 0x0B else b"\xe5")]

    async with bus_at(answer, tmp_path) as (bus, _):
        assert await numbers(meter(bus, "5"), ["energyTotal"]) == {"energyTotal": "37351 kWh"}
        with pytest.raises(DeviceRefused, match="primary address"):
            await meter(bus, "06855817").read()


async def test_a_dead_meter_costs_one_question(tmp_path: Path) -> None:
    async with bus_at(line(), tmp_path) as (bus, peer):
        with pytest.raises(DeviceOffline):
            await meter(bus, "5").read()
    assert controls(peer) == ["40"]


async def test_nothing_of_a_meter_is_written(tmp_path: Path) -> None:
    async with bus_at(line(MbusMeter(5, OWN, heat)), tmp_path) as (bus, peer):
        order = WriteOrder("somebody", bus.clock().replace(year=2100))
        with pytest.raises(DeviceRefused):
            await meter(bus, "5").write("energyTotal", Decimal(0), order)
    assert peer.requests == []


@pytest.mark.parametrize("address", ["251", "-1", "x", "0685581", "FFFFFFFF", "0685581F", "068558172D2C08"])
async def test_an_address_is_one_meter(tmp_path: Path, address: str) -> None:
    async with bus_at(line(), tmp_path) as (bus, _):
        with pytest.raises(ProfileError):
            meter(bus, address)


async def test_a_profile_finds_records_by_what_they_say_of_themselves(tmp_path: Path) -> None:
    records = [
        encode_record("06", 7),
        encode_record("863B", 9),
        encode_record("FD48", 2301),
        encode_record("FD48", 2302),
        encode_record("ABFF01", 1500),
        encode_record("7C03485225", 40),
    ]
    async with bus_at(line(MbusMeter(5, OWN, lambda: records)), tmp_path) as (bus, _):
        driver = create_driver(parse_profile(PROFILE, "electricity/x", "x.toml"), bus, "5", Options())
        assert await numbers(driver) == {
            "energyImportTotal": "9 kWh",
            "voltageL2": "230.2 V",
            "powerL1": "1500 W",
            "humidity": "40 %",
        }

"""A search on a gateway's own line goes on between the polls, and stops when nobody listens any more."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from drivers.bus.exchange import ModbusRead
from drivers.bus.osdp import OsdpBus
from drivers.bus.osdp_device import DeviceModel
from drivers.bus.owner import Bus
from drivers.bus.serial_line import SerialBus
from drivers.bus.settings import OsdpSettings, SerialSettings
from drivers.factory import create_driver
from drivers.profile import load_profile
from drivers.sim.osdp import SimulatedOsdpLine
from edge_agent.config import Device
from edge_agent.control import ControlError
from edge_agent.recorder import Recorder
from edge_agent.store import Store
from edge_agent.workbench import Workbench, order_of
from protocols.modbus import Frame, encode_read_registers_response, encode_rtu
from tests.drivers.peer import PtyPeer, Reply, eventually, pty_peer

ANSWER_S, SILENCE_S = 0.02, 0.3


def answer(request: bytes, frame: Frame) -> Reply:
    if frame.device_id != 1:
        return []
    return [(ANSWER_S, encode_rtu(Frame(1, encode_read_registers_response(3, [17]))))]


@asynccontextmanager
async def bench(folder: Path) -> AsyncIterator[tuple[Workbench, Bus, PtyPeer]]:
    async with pty_peer("modbus-rtu", answer, folder) as peer, await Store.open(folder / "edge.db", "gw-1") as store:
        settings = SerialSettings("line-1", peer.path, 115200, parity="N", timeout_s=0.3)
        async with SerialBus(settings) as bus:
            found = Workbench(Recorder(store, "gw-1"))
            found.add(settings, bus, (), {})
            yield found, bus, peer


async def test_polls_keep_their_pace_while_a_search_meets_silence_after_silence(tmp_path: Path) -> None:
    async with bench(tmp_path) as (workbench, bus, peer):
        waits: list[float] = []

        async def poll() -> None:
            loop = asyncio.get_running_loop()
            while True:
                began = loop.time()
                for _ in range(3):
                    await bus.execute(ModbusRead(1, 3, 0, 1))
                waits.append(loop.time() - began)
                await asyncio.sleep(0.1)

        polling = asyncio.create_task(poll())
        question = {"bus": "line-1", "protocols": ["modbus"], "timeout_s": SILENCE_S}
        question["addresses"] = [str(unit) for unit in range(2, 7)]
        told = [it async for it in workbench.streams["scan"](question)]
        polling.cancel()
    assert told[-1] == {"protocol": "modbus", "done": 5, "total": 5, "text": ""}
    assert len({request[0] for request in peer.requests}) == 6, "the gateway's device and the five that are not there"
    # Three answers, and one silence of the search before them at the most.
    assert max(waits) < 3 * (ANSWER_S + 0.03) + SILENCE_S + 0.15
    assert len(waits) > 5


async def test_a_search_ends_with_whoever_asked_for_it(tmp_path: Path) -> None:
    async with bench(tmp_path) as (workbench, _, peer):
        async with aclosing(workbench.streams["scan"]({"bus": "line-1", "timeout_s": 0.05})) as stream:
            async for told in stream:
                if told.get("done", 0) >= 3:
                    break
        asked = len(peer.requests)
        await asyncio.sleep(0.3)
        assert len(peer.requests) <= asked + 1


@pytest.mark.parametrize(
    ("op", "question", "words"),
    [
        ("scan", {"bus": "line-9"}, "there is no bus 'line-9'"),
        ("scan", {"bus": "line-1", "protocols": ["osdp"]}, "'line-1' carries none of osdp"),
        ("scan", {"bus": "line-1", "protocols": ["dlt645"], "addresses": ["x"]}, "is not a meter address"),
        ("capture", {}, "there is no bus 'None'"),
        ("probe", {"bus": "line-1", "address": "x"}, "'x' is no address of anything"),
        ("probe", {"bus": "line-1", "address": "1", "profile": "no/such"}, "there is no profile 'no/such'"),
    ],
)
async def test_what_cannot_be_done_is_told(tmp_path: Path, op: str, question: dict[str, object], words: str) -> None:
    async with bench(tmp_path) as (workbench, _, _):
        with pytest.raises(ControlError, match=words):
            async for _ in workbench.streams[op](question):
                pass


async def test_a_line_is_recorded_by_a_few_at_most(tmp_path: Path) -> None:
    async with bench(tmp_path) as (workbench, bus, _):
        streams = [workbench.streams["capture"]({"bus": "line-1"}) for _ in range(5)]
        for stream in streams[:4]:
            await anext(stream)
        with pytest.raises(ControlError, match="4 recordings of 'line-1' run already"):
            await anext(streams[4])
        for stream in streams:
            await stream.aclose()
        assert bus.tap.hear is None


@pytest.mark.parametrize(
    "question",
    [{}, {"device": "em-1", "point": "x", "value": "much", "operator": "me", "expires_at": "2026-11-23T12:00:00Z"}],
)
def test_half_an_order_is_none(question: dict[str, str]) -> None:
    with pytest.raises(ControlError, match="an order names device, point, value"):
        order_of(question)


async def test_a_door_in_its_secure_session_keeps_it_while_it_is_probed_and_its_line_searched(tmp_path: Path) -> None:
    key = secrets.token_bytes(16)
    file = tmp_path / "reader.key"
    file.touch(mode=0o600)
    file.write_text(key.hex() + "\n")
    profile = load_profile("access/generic-osdp")
    points = tuple(point.name for point in profile.points)
    device = Device("door-1", "door-1", "doors", profile, "5", 1, points, key_file=file)
    with SimulatedOsdpLine([DeviceModel(5, key)]) as line:
        settings = OsdpSettings("doors", line.path)
        bus = OsdpBus(settings)
        driver = create_driver(profile, bus, "5", device.options)
        async with await Store.open(tmp_path / "edge.db", "gw-1") as store, bus:
            found = Workbench(Recorder(store, "gw-1"))
            found.add(settings, bus, (device,), {"door-1": driver})
            reader = bus._readers[5]
            await eventually(lambda: reader.is_online and reader.is_secure)
            since = reader.online_at
            told = [it async for it in found.streams["probe"]({"bus": "doors", "address": "5", "tries": 2})]
            assert (told[-1]["report"]["alive"], told[-1]["report"]["round_trip"]["answered"]) == (True, 2)
            seen = [it async for it in found.streams["scan"]({"bus": "doors", "addresses": ["5", "7"]})]
            assert [it["found"]["detail"] for it in seen if "found" in it] == ["in the settings already: door-1"]
            assert (reader.is_online, reader.is_secure, reader.online_at) == (True, True, since)

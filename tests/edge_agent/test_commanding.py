"""Commands at the gateway, on real sockets: a simulated door and relay, a gateway, and a centre that speaks down to it."""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.command_key import load_command_key
from edge_agent.command_log import CommandLog
from edge_agent.config import load_settings
from edge_agent.store_file import connect_reader
from protocols.command import Command, command_id, signed
from protocols.down import PATH_DOWN
from protocols.sync import Event
from tests.drivers.sim.served import running, site_from
from tests.edge_agent.test_door import EDGE, SITE, Centre, House, house

RELAY = '[[device]]\nid = "relay-1"\n{}profile = "relay/relay-module"\naddress = "3"\n'
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(32))


def now() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Commanding(Centre):
    """A centre that holds the way down; ``ahead_ms`` is how far its clock is ahead."""

    socket: web.WebSocketResponse | None = None
    answers: list[dict[str, Any]] = field(default_factory=list)
    ahead_ms: int = 0
    count: int = 0

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get(PATH_DOWN, self._down)

    async def _down(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        key = KEY.public_key().public_bytes_raw().hex()
        await socket.send_json({"type": "hello", "server_time": now() + self.ahead_ms, "command_key": key})
        self.socket = socket
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                self.answers.append(json.loads(message.data))
        self.socket = None
        return socket

    def order(self, action: str = "open", device: str = "door-1", **changes: Any) -> Command:
        self.count += 1
        kind, lives = ("door", 9_000) if action == "open" else ("relay", 60_000)
        made = command_id(now() + self.count, self.count.to_bytes(8, "big"))
        command = Command(made, "gw-1", device, action, "lin", kind, now() + lives)
        return replace(command, **changes)

    def switch(self, value: str, **changes: Any) -> Command:
        return self.order("write", "relay-1", **{"args": {"point": "relayState", "value": value}} | changes)

    async def say(self, told: Any, sign: Ed25519PrivateKey = KEY) -> None:
        assert self.socket is not None
        wire = signed(told, sign.sign) if isinstance(told, Command) else told
        await self.socket.send_json({"type": "command", "command": wire})

    def ended(self, command: Command) -> list[dict[str, Any]]:
        return [event.body for event in self.events if event.kind == "command" and event.body["id"] == command.id]

    def refused(self) -> list[Event]:
        return [event for event in self.events if event.kind == "command_refused"]


@asynccontextmanager
async def ready(folder: Path, centre: Commanding, more: str = "") -> AsyncIterator[House]:
    site, edge = SITE + RELAY.format('line = "io"\n'), EDGE + RELAY.format('bus = "io"\nperiod_s = 1\n') + more
    async with house(folder, centre, site, edge) as found:
        await found.until(lambda: centre.socket is not None and is_polled(centre))
        yield found


def is_polled(centre: Centre) -> bool:
    rows = centre.statuses[-1]["devices"] if centre.statuses else []
    return bool(rows) and all(row["state"] == "ok" for row in rows if row["id"] != "door-9")


async def ended(found: House, command: Command) -> dict[str, Any]:
    centre = found.centre
    assert isinstance(centre, Commanding)
    await found.until(lambda: centre.ended(command))
    (body,) = centre.ended(command)
    return body


async def test_a_command_is_carried_out_once_however_often_it_comes(tmp_path: Path) -> None:
    centre = Commanding()
    async with ready(tmp_path, centre) as found:
        command = centre.order()
        await centre.say(command)
        body = await ended(found, command)
        assert (body["state"], body["error"], body["actor"]) == ("done", None, "lin")
        assert body["read_back"]["door"] == "closed"
        assert len(found.relays()) == 1
        assert found.decisions()[-1]["by"] == "lin"
        assert load_command_key(found.settings.data) == KEY.public_key().public_bytes_raw().hex()
        for _ in range(100):
            for _ in range(100):
                await centre.say(command)
            heard = len(centre.answers)
            await found.until(lambda heard=heard: len(centre.answers) > heard)
        last = [each for each in centre.answers if each["type"] == "command_result"][-1]
        assert (last["id"], last["state"], last["read_back"]) == (command.id, "done", body["read_back"])
        assert len(found.relays()) == 1
        assert len(centre.ended(command)) == 1

        closing = centre.switch("1")
        await centre.say(closing)
        body = await ended(found, closing)
        assert (body["state"], body["read_back"]["word"]) == ("done", "closed")
        assert centre.statuses[-1]["devices"][2]["commands"][0]["point"] == "relayState"
        assert [row["commands"] for row in centre.statuses[-1]["devices"] if row["id"] == "lift-1"] == [[]]


async def test_what_is_not_the_centres_word_has_no_effect_and_is_told(tmp_path: Path) -> None:
    centre = Commanding()
    async with ready(tmp_path, centre) as found:
        good = centre.order()
        wire = signed(good, KEY.sign)
        await centre.say(good, STRANGER)
        await centre.say({**wire, "expires_at": wire["expires_at"] + 1})
        await centre.say({**wire, "device": "door-2"})
        await centre.say(centre.order(edge_id="gw-2"))
        await centre.say({**wire, "device": "d" * 10_000})
        await centre.say({**wire, "more": "x"})
        await centre.say("open sesame")
        await found.until(
            lambda: {event.body["reason"] for event in centre.refused()} == {"security", "length", "format"}
        )
        for command, state in (
            (centre.order(expires_at=now() - 1), "expired"),
            (centre.order(expires_at=now() + 60_000), "failed"),
            (centre.order(device="lift-1"), "failed"),
            (centre.order(device="relay-1"), "failed"),
            (centre.order(device="nothing"), "failed"),
            (centre.order("write", "lift-1", args={"point": "currentFloor", "value": "3"}), "failed"),
            (centre.switch("1", args={"point": "auxiliaryContact", "value": "1"}), "failed"),
            (centre.switch("7"), "failed"),
            (centre.switch("one"), "failed"),
            (centre.switch("1", expires_at=now() + 600_000), "failed"),
            (centre.switch("1", kind="setting"), "failed"),
        ):
            await centre.say(command)
            body = await ended(found, command)
            assert body["state"] == state, body
            assert body["error"] or state == "expired"
        assert found.relays() == []
        assert not [
            each
            for each in await found.ask("values")
            for value in each["values"]
            if value["word"] == "closed" and each["id"] == "relay-1"
        ]


async def test_an_older_command_does_not_undo_a_newer_one(tmp_path: Path) -> None:
    centre = Commanding()
    async with ready(tmp_path, centre) as found:
        older, newer = centre.switch("0"), centre.switch("1")
        await centre.say(newer)
        assert (await ended(found, newer))["state"] == "done"
        await centre.say(older)
        body = await ended(found, older)
        assert (body["state"], body["error"].split(";")[0]) == (
            "failed",
            "A newer command for this device has been carried out already",
        )


async def test_what_stands_in_the_journal_as_begun_is_not_begun_again(tmp_path: Path) -> None:
    centre = Commanding()
    async with ready(tmp_path, centre) as found:
        begun, fresh = centre.order(), centre.order()
        await CommandLog(found.store).begin(begun, now(), None)  # type: ignore[arg-type]
        await centre.say(begun)
        await centre.say(fresh)
        assert (await ended(found, fresh))["state"] == "done"
        assert (len(found.relays()), centre.ended(begun)) == (1, [])


async def test_a_gateway_of_wrong_time_goes_by_the_centres_clock(tmp_path: Path) -> None:
    hour = 3_600_000
    centre = Commanding(ahead_ms=hour)
    async with ready(tmp_path, centre) as found:
        late, alive = centre.order(expires_at=now() + 9_000), centre.order(expires_at=now() + hour + 9_000)
        await centre.say(late)
        assert (await ended(found, late))["state"] == "expired", "it was over by the centre's clock"
        await centre.say(alive)
        assert (await ended(found, alive))["state"] == "done"
        assert len(found.relays()) == 1


async def test_the_first_key_is_believed_and_no_other_after_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    centre = Commanding()
    async with ready(tmp_path, centre) as found:
        assert centre.socket is not None
        key = STRANGER.public_key().public_bytes_raw().hex()
        await centre.socket.send_json({"type": "hello", "server_time": now(), "command_key": key})
        await found.until(lambda: "another command key" in caplog.text)
        await centre.say(centre.order(), STRANGER)
        await found.until(centre.refused)
        good = centre.order()
        await centre.say(good)
        assert (await ended(found, good))["state"] == "done"
        assert len(found.relays()) == 1


async def test_of_a_device_that_does_not_answer_nobody_says_that_it_did_nothing(tmp_path: Path) -> None:
    centre = Commanding()
    silent = '[[device]]\nid = "door-9"\nbus = "io"\nprofile = "access/modbus-door"\naddress = "9"\nperiod_s = 60\n'
    async with ready(tmp_path, centre, silent) as found:
        command = centre.order(device="door-9")
        await centre.say(command)
        body = await ended(found, command)
        assert body["state"] == "unknown", body
        assert journalled(found.settings.store_path) == [(command.id, "unknown")]


@dataclass
class Gate:
    """A line to the devices that can be held: what is sent meanwhile never arrives."""

    port: int
    is_held: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
        finally:
            back.close()
            writer.close()

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(4096):
            if not self.is_held:
                target.write(data)
        target.close()


def journalled(path: Path) -> list[tuple[str, str]]:
    with contextlib.closing(connect_reader(path)) as connection:
        return connection.execute("SELECT id, state FROM command ORDER BY id").fetchall()


async def test_a_gateway_killed_between_the_journal_and_the_relay_never_moves_it_later(tmp_path: Path) -> None:
    centre = Commanding()
    runner = await centre.start()
    (tmp_path / "secret").touch(mode=0o600)
    (tmp_path / "secret").write_text("secret")
    async with running(site_from(SITE + RELAY.format('line = "io"\n'), tmp_path)) as site:
        gate = Gate(site.port("io"))
        server = await asyncio.start_server(gate.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        edge = EDGE.replace("port = {port}\n", "port = {port}\ntimeout_ms = 8000\n")
        text = (edge + RELAY.format('bus = "io"\nperiod_s = 1\n')).format(centre=centre.port, port=port)
        (tmp_path / "edge.toml").write_text(text)
        found = House(tmp_path, site, centre, load_settings(tmp_path / "edge.toml"), None, runner)  # type: ignore[arg-type]
        gateway = await started(tmp_path)
        try:
            await found.until(lambda: centre.socket is not None and is_polled(centre), 20)
            gate.is_held = True
            orders = [centre.order(), centre.switch("1")]
            for order in orders:
                await centre.say(order)
            path = found.settings.store_path
            await found.until(lambda: journalled(path) == [(order.id, "begun") for order in orders])
            gateway.kill()
            await gateway.wait()
            centre.socket, gate.is_held = None, False
            gateway = await started(tmp_path)
            await found.until(lambda: centre.socket is not None, 20)
            for order in orders:
                assert (await ended(found, order))["state"] == "unknown"
                await centre.say(order)
                await found.until(lambda order=order: any(each.get("id") == order.id for each in centre.answers))
            assert now() < orders[1].expires_at, "the relay's command would still be allowed"
            assert journalled(path) == [(order.id, "unknown") for order in orders]
            assert found.relays() == []
            fresh = centre.switch("1")
            await centre.say(fresh)
            body = await ended(found, fresh)
            assert (body["state"], body["read_back"]["word"]) == ("done", "closed")
        finally:
            if gateway.returncode is None:
                gateway.terminate()
                await gateway.wait()
            server.close()
            await runner.cleanup()


async def started(folder: Path) -> asyncio.subprocess.Process:
    with (folder / "run.log").open("ab") as log:
        command = (sys.executable, "-m", "edge_agent", "run")
        return await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=log, stderr=log)

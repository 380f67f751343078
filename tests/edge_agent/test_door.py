"""A door from the card to the relay, on real sockets: a simulated door, a gateway, and a centre that speaks the contract."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from drivers.bus.osdp_device import DeviceModel
from drivers.sim import control
from drivers.sim.osdp import SimulatedOsdpDoor, SimulatedOsdpLine
from edge_agent import door, lift_alarm
from edge_agent import rules as rules_module
from edge_agent.agent import Agent
from edge_agent.config import Settings, load_settings
from edge_agent.control import ControlClient, ControlError
from edge_agent.store import Store, StoreFull
from edge_agent.sync import Policy
from protocols.access import DECISION, PATH_RULES, Credential, DoorRule, Grant, Rules, encode_rules
from protocols.sync import PATH_BATCHES, PATH_STATUS, Event, Lane, Record, decode_batch
from protocols.wiegand import encode_card
from tests.drivers.sim.served import Running, running, site_from

SITE = """\
[site]
journal = "journal.jsonl"

[[line]]
id = "io"
kind = "modbus-tcp"
port = 0

[[device]]
id = "door-1"
line = "io"
profile = "access/modbus-door"
address = "1"
visits = false

[[device]]
id = "lift-1"
line = "io"
profile = "elevator/modbus-gateway"
address = "2"
"""
EDGE = """\
[edge]
id = "gw-1"

[uplink]
url = "http://127.0.0.1:{centre}"
secret_file = "secret"

[[bus]]
id = "io"
kind = "modbus-tcp"
host = "127.0.0.1"
port = {port}

[[device]]
id = "door-1"
bus = "io"
profile = "access/modbus-door"
address = "1"
period_s = 1
card_ms = 100

[[device]]
id = "lift-1"
bus = "io"
profile = "elevator/modbus-gateway"
address = "2"
period_s = 1
"""
CARD = "26:b40288"
TURNED = encode_card(34, 0x0200, 0x0100)  # 0001 and 0002 from a reader that sends its bytes the other way round
QUICK = Policy(status_s=0.2)
ANNA = Credential("anna", 26, "b40288", grants=(Grant(frozenset({"door-1"})),))
RULES = Rules(
    "gw-1", 1, 1_790_000_000_000, "Asia/Shanghai", credentials=(ANNA,), doors=(DoorRule("door-1", 500, held_open_s=1),)
)


@dataclass
class Centre:
    """A peer that speaks the contract; ``version`` and ``body`` are what it says and serves."""

    version: int | None = 1
    body: bytes = encode_rules(RULES)
    events: list[Event] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str | None] = field(default_factory=list)
    port: int = 0

    async def start(self) -> web.AppRunner:
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_post(PATH_STATUS, self._status)
        app.router.add_post(PATH_BATCHES, self._batch)
        app.router.add_get(PATH_RULES, self._rules)
        self.add_routes(app)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = runner.addresses[0][1]
        return runner

    def add_routes(self, app: web.Application) -> None:
        """Say more than this, where a test wants it."""

    def serve(self, rules: Rules) -> None:
        self.version, self.body = rules.version, encode_rules(rules)

    async def _status(self, request: web.Request) -> web.Response:
        self.statuses.append(await request.json())
        return web.json_response({"server_time": time.time_ns() // 1_000_000, "rules_version": self.version})

    async def _batch(self, request: web.Request) -> web.Response:
        batch = decode_batch(await request.read())
        self.events += [record for record in batch.records if isinstance(record, Event)]
        return web.json_response({"acked": batch.last_seq})

    async def _rules(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Gateway gw-1:secret"
        have = request.query.get("have")
        self.asked.append(have)
        if self.version is None:
            return web.Response(status=204)
        if have == str(self.version):
            return web.Response(status=304)
        return web.Response(body=self.body, content_type="application/json")


class WatchedStore:
    """The real store; it can be full, and notes what the journal said at the moment of each commit."""

    def __init__(self, store: Store, relays: Callable[[], int]) -> None:
        self._store = store
        self._relays = relays
        self.is_full = False
        self.hung: asyncio.Event | None = None
        self.seen: dict[str, int] = {}
        self.events: list[Event] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(self, lane: Lane, records: Sequence[Record], notes: Mapping[tuple[str, str], str] = {}) -> int:
        if self.is_full and lane is Lane.SAFETY:
            raise StoreFull("the disk is full. Make room.")
        if self.hung is not None and lane is Lane.SAFETY:
            await self.hung.wait()
        done = await self._store.append(lane, records, notes)
        for record in records:
            if isinstance(record, Event):
                self.events.append(record)
                self.seen[str(record.body.get("decision_id"))] = self._relays()
        return done


@dataclass
class House:
    """Everything of one test."""

    folder: Path
    site: Running
    centre: Centre
    settings: Settings
    store: WatchedStore
    runner: web.AppRunner

    async def do(self, *words: str) -> dict[str, Any]:
        told = await asyncio.to_thread(control.ask, self.folder / "sim.sock", words)
        assert told["ok"], told
        return told

    async def until(self, condition: Callable[[], Any], seconds: float = 10) -> Any:
        async with asyncio.timeout(seconds):
            while not (found := condition()):
                await asyncio.sleep(0.02)
        return found

    def relays(self) -> list[dict[str, Any]]:
        return [entry for entry in self.site.journal if entry.get("what") == "relay"]

    def decisions(self) -> list[dict[str, Any]]:
        return [event.body for event in self.store.events if event.kind == DECISION]

    def raised(self, condition: str) -> list[str]:
        return [
            event.body["state"]
            for event in self.store.events
            if event.kind == "alarm" and event.body["condition"] == condition
        ]

    async def present(self, card: str = CARD) -> dict[str, Any]:
        """Show a card and wait for the decision, and for the relay where it is granted."""
        before, pulses = len(self.decisions()), len(self.relays())
        await self.do("present", "door-1", card)
        await self.until(lambda: len(self.decisions()) > before)
        decision = self.decisions()[-1]
        if decision["granted"]:
            await self.until(lambda: len(self.relays()) > pulses)
        return decision

    async def ask(self, op: str, **fields: Any) -> Any:
        return await ControlClient(self.settings.socket_path).ask(op, **fields)


@asynccontextmanager
async def house(
    folder: Path, centre: Centre | None = None, site_text: str = SITE, edge_text: str = EDGE
) -> AsyncIterator[House]:
    centre = centre or Centre()
    runner = await centre.start()
    site = site_from(site_text, folder)
    (folder / "secret").touch(mode=0o600)
    (folder / "secret").write_text("secret")
    try:
        async with running(site, control=folder / "sim.sock") as served:
            (folder / "edge.toml").write_text(edge_text.format(centre=centre.port, port=served.port("io")))
            settings = load_settings(folder / "edge.toml")
            settings.data.mkdir(exist_ok=True)
            async with await Store.open(settings.store_path, "gw-1") as store:
                watched = WatchedStore(store, lambda: len(found.relays()))
                found = House(folder, served, centre, settings, watched, runner)
                agent = asyncio.create_task(Agent(settings, watched, policy=QUICK).run())  # type: ignore[arg-type]
                try:
                    yield found
                finally:
                    agent.cancel()
                    await asyncio.wait({agent})
                    assert agent.cancelled(), agent.exception()
    finally:
        await runner.cleanup()


async def is_ready(found: House) -> None:
    """Wait until the gateway has its rules and knows the reader's counter."""
    await found.until(lambda: found.settings.socket_path.exists())
    async with asyncio.timeout(10):
        while (await found.ask("doors"))[0]["state"] != "ok" or (await found.ask("status"))["access"][
            "rules_version"
        ] != found.centre.version:
            await asyncio.sleep(0.02)


async def test_a_card_opens_the_door_after_the_decision_is_stored_and_the_centre_hears_of_it(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        await is_ready(found)
        decision = await found.present()
        assert (decision["granted"], decision["reason"], decision["credential"]) == (True, "granted", "anna")
        assert (decision["rules_version"], decision["offline"], decision["door"]) == (1, False, "door-1")
        assert "card" not in decision, "a known card's number is nobody's business"
        assert found.store.seen[decision["decision_id"]] == 0, "committed while the relay was still at rest"
        (card,) = [entry for entry in found.site.journal if entry.get("what") == "card"]
        (relay,) = found.relays()
        assert relay["pulse_ms"] == 500
        took = datetime.fromisoformat(relay["at"]) - datetime.fromisoformat(card["at"])
        assert took.total_seconds() < 1

        stranger = await found.present("34:1")
        assert (stranger["granted"], stranger["reason"], stranger["credential"]) == (False, "unknown_card", None)
        assert stranger["card"] == {"bits": 34, "number": "1"}
        await found.until(lambda: [it.body for it in found.centre.events if it.kind == DECISION] == found.decisions())
        assert found.centre.events[-1].subject == "door:door-1"
        assert len(found.relays()) == 1
        doors = await found.ask("doors")
        assert (doors[0]["last_decision"]["reason"], doors[0]["rules_version"]) == ("unknown_card", 1)
        await found.until(lambda: found.centre.statuses[-1]["access"]["decisions"] == 2)


async def test_a_door_decides_with_the_centre_away_and_a_tenancy_ends_to_the_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules_module, "OFFLINE_S", 0.5)
    midnight = time.time_ns() // 1_000_000 + 5_000
    centre = Centre(body=encode_rules(replace(RULES, credentials=(replace(ANNA, valid_to=midnight),))))
    async with house(tmp_path, centre) as found:
        await is_ready(found)
        await found.runner.cleanup()
        await asyncio.sleep(0.6)
        decision = await found.present()
        assert (decision["reason"], decision["offline"], decision["rules_version"]) == ("granted", True, 1)
        await asyncio.sleep(max(0.0, midnight / 1000 - time.time()))
        assert (await found.present())["reason"] == "expired"
        assert len(found.relays()) == 1


async def test_with_a_store_that_fails_the_door_stays_shut_and_in_a_fire_it_opens_all_the_same(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        await is_ready(found)
        found.store.is_full = True
        await found.do("present", "door-1", CARD)
        await asyncio.sleep(0.5)
        with pytest.raises(ControlError, match="could not be stored, so the door stays shut"):
            await found.ask("door", door="door-1", action="open")
        assert found.relays() == []
        await found.do("fire", "door-1", "on")
        await found.until(found.relays)
        assert found.decisions() == []
        found.store.is_full = False
        await found.until(lambda: "raised" in found.raised("store_failing"))
        await found.until(lambda: [it["reason"] for it in found.decisions()] == ["emergency_open"])
        assert (await found.present("40:99"))["reason"] == "emergency_open", "every card opens in a fire"
        assert "raised" not in found.raised("door_forced")


async def test_a_disk_that_hangs_lets_nobody_in_late_and_hides_no_fire(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "_OPEN_WITHIN_S", 0.3)
    async with house(tmp_path) as found:
        await is_ready(found)
        found.store.hung = asyncio.Event()
        await found.do("present", "door-1", CARD)
        await asyncio.sleep(0.5)
        assert found.relays() == []
        await found.do("fire", "door-1", "on")
        await found.until(found.relays, 2)
        await found.do("fire", "door-1", "off")
        found.store.hung.set()
        await found.until(lambda: [it.body for it in found.store.events if it.kind == "door_not_opened"])
        assert [it["reason"] for it in found.decisions()] == ["granted", "emergency_open"]
        assert [it["pulse_ms"] for it in found.relays()] == [20_000]


async def test_newer_rules_are_fetched_and_older_or_broken_ones_are_refused_with_an_alarm(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        await is_ready(found)
        assert found.centre.asked == [None]
        found.centre.serve(replace(RULES, version=2, credentials=(replace(ANNA, is_revoked=True),)))
        await is_ready(found)
        assert (await found.present())["reason"] == "revoked"
        found.centre.version, found.centre.body = 3, encode_rules(RULES)
        await found.until(lambda: found.raised("rules_refused") == ["raised"])
        assert (await found.present())["reason"] == "revoked"
        assert found.relays() == []
    centre = Centre()
    centre.serve(replace(RULES, version=4))
    async with house(tmp_path, centre) as found:
        await is_ready(found)
        assert [it and it.split("/")[0] for it in centre.asked] == ["2"], "what was good is on disk"
        await found.present()
        assert len(found.relays()) == 1


async def test_an_engineer_opens_the_door_from_the_gateway_and_it_is_on_record(tmp_path: Path) -> None:
    async with house(tmp_path, Centre(version=None)) as found:
        await is_ready(found)
        assert (await found.present())["reason"] == "no_rules"
        told = await found.ask("door", door="door-1", action="open")
        assert (told["granted"], told["reason"], told["credential"]) == (True, "granted", None)
        assert told["by"] == "local command"
        assert found.store.seen[told["decision_id"]] == 0
        assert len(found.relays()) == 1
        with pytest.raises(ControlError, match="nothing else"):
            await found.ask("door", door="door-1", action="close")
        with pytest.raises(ControlError, match="there is no door 'lift-1'"):
            await found.ask("door", door="lift-1", action="open")


async def test_forced_held_and_tampered_doors_and_cards_nobody_saw_are_told(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        await is_ready(found)
        await found.do("force", "door-1")
        await found.until(lambda: found.raised("door_forced") == ["raised"])
        await found.do("close", "door-1")
        await found.until(lambda: found.raised("door_forced") == ["raised", "cleared"])
        await found.do("open", "door-1")
        await found.until(lambda: found.raised("door_held_open") == ["raised"])
        await found.do("close", "door-1")
        await found.until(lambda: found.raised("door_held_open") == ["raised", "cleared"])
        assert found.raised("door_forced") == ["raised", "cleared"], "the exit button was pressed"
        await found.do("tamper", "door-1", "on")
        await found.until(lambda: found.raised("door_tamper") == ["raised"])
        for _ in range(3):
            await found.do("present", "door-1", "26:1")
        await found.until(lambda: [it for it in found.store.events if it.kind == "cards_missed"])


async def test_a_trapped_passenger_is_told_and_the_alarm_ends_with_the_rescue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lift_alarm, "PASSENGER_S", 2.0)
    async with house(tmp_path) as found:
        await is_ready(found)
        await found.do("lift", "lift-1", "fault", "37")
        await found.until(lambda: found.raised("lift_fault") == ["raised"])
        await found.do("lift", "lift-1", "entrap")
        await found.until(lambda: found.raised("lift_fault") == ["raised", "cleared"])
        await found.until(lambda: found.raised("lift_entrapment") == ["raised"])
        await found.do("lift", "lift-1", "normal")
        await found.until(lambda: found.raised("lift_entrapment") == ["raised", "cleared"])
        told = [it.body for it in found.store.events if it.kind == "alarm" and "lift" in it.body["condition"]]
        assert [it["detail"]["rule"] for it in told if it["condition"] == "lift_entrapment"] == ["passenger-alarm"] * 2
        assert told[0]["detail"]["fault_code"] == 37
        await found.do("lift", "lift-1", "fire")
        await found.until(lambda: found.raised("lift_fire_mode") == ["raised"])


OSDP_EDGE = """\
[edge]
id = "gw-1"

[uplink]
url = "http://127.0.0.1:{centre}"
secret_file = "secret"

[[bus]]
id = "doors"
kind = "osdp"
port = "{port}"

[[device]]
id = "door-1"
bus = "doors"
profile = "access/generic-osdp"
address = "5"
period_s = 1
key_file = "door-1.key"
card_formats = ["wiegand-26", "wiegand-34-reversed"]
"""


@dataclass
class OsdpHouse:
    """A gateway whose door is an OSDP reader with a relay: libosdp's own device."""

    line: SimulatedOsdpLine
    store: WatchedStore
    socket: Path

    @property
    def sim(self) -> SimulatedOsdpDoor:
        return self.line.doors[5]

    async def until(self, condition: Callable[[], Any], seconds: float = 10) -> Any:
        async with asyncio.timeout(seconds):
            while not (found := condition()):
                await asyncio.sleep(0.01)
        return found

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        return [event.body for event in self.store.events if event.kind == kind]

    def raised(self, condition: str) -> list[str]:
        return [body["state"] for body in self.bodies("alarm") if body["condition"] == condition]


@asynccontextmanager
async def osdp_house(folder: Path) -> AsyncIterator[OsdpHouse]:
    centre = Centre()
    runner = await centre.start()
    key = secrets.token_bytes(16)
    for name, text in (("secret", "secret"), ("door-1.key", key.hex())):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(text)
    try:
        with SimulatedOsdpLine([DeviceModel(5, key)]) as line:
            (folder / "edge.toml").write_text(OSDP_EDGE.format(centre=centre.port, port=line.path))
            settings = load_settings(folder / "edge.toml")
            settings.data.mkdir(exist_ok=True)
            async with await Store.open(settings.store_path, "gw-1") as store:
                watched = WatchedStore(store, lambda: len(line.doors[5].pulses))
                found = OsdpHouse(line, watched, settings.socket_path)
                agent = asyncio.create_task(Agent(settings, watched, policy=QUICK).run())  # type: ignore[arg-type]
                try:
                    await found.until(found.socket.exists)
                    async with asyncio.timeout(10):
                        while True:
                            (door,) = await ControlClient(found.socket).ask("doors")
                            if door["state"] == "ok" and door["rules_version"] == 1:
                                break
                            await asyncio.sleep(0.02)
                    await asyncio.sleep(0.6)  # a card in a reader's first moments may be an old one
                    yield found
                finally:
                    agent.cancel()
                    await asyncio.wait({agent})
                    assert agent.cancelled(), agent.exception()
    finally:
        await runner.cleanup()


async def test_a_card_at_an_osdp_reader_is_decided_recorded_opens_and_shows_it(tmp_path: Path) -> None:
    async with osdp_house(tmp_path) as found:
        began = time.monotonic()
        found.line.show_card(5, 26, 0xB40288)
        await found.until(lambda: found.sim.tones)
        took = time.monotonic() - began
        assert took < 1
        (decision,) = found.bodies(DECISION)
        assert (decision["granted"], decision["reason"], decision["credential"]) == (True, "granted", "anna")
        assert found.store.seen[decision["decision_id"]] == 0, "committed while the relay was still at rest"
        assert found.sim.pulses == [(0, 5)], "the rule's 500 ms"
        assert (found.sim.colours, found.sim.tones) == ([2], [2]), "green, and two tones"

        found.line.show_card(5, 34, encode_card(34, 1, 2))
        await found.until(lambda: len(found.sim.tones) == 2)
        denied = found.bodies(DECISION)[1]
        assert (denied["reason"], denied["card"]) == ("unknown_card", {"bits": 34, "number": f"{TURNED:x}"})
        assert (found.sim.colours, found.sim.tones) == ([2, 1], [2, 3]), "red, and three tones"

        found.line.show_card(5, 26, 0xB40289)  # a parity bit is wrong
        await found.until(lambda: len(found.sim.tones) == 3)
        (unread,) = found.bodies("cards_missed")
        assert "parity" in unread["why"]
        assert len(found.bodies(DECISION)) == 2
        assert len(found.sim.pulses) == 1


async def test_an_osdp_reader_that_is_opened_or_silent_is_told_and_its_door_watched(tmp_path: Path) -> None:
    async with osdp_house(tmp_path) as found:
        found.sim.is_tampered = found.sim.has_power_failed = True
        found.sim.contacts[0] = 1  # pulled open
        await found.until(lambda: found.raised("door_tamper") == ["raised"])
        await found.until(lambda: found.raised("door_forced") == ["raised"])
        await found.until(lambda: found.raised("door_power") == ["raised"])
        assert found.raised("door_default_key") == []
        found.sim.is_silent = True
        async with asyncio.timeout(10):
            while (await ControlClient(found.socket).ask("doors"))[0]["state"] != "offline":
                await asyncio.sleep(0.05)
        with pytest.raises(ControlError, match="has fallen silent"):
            await ControlClient(found.socket).ask("door", door="door-1", action="open")
        found.sim.is_silent = False
        async with asyncio.timeout(10):
            while (await ControlClient(found.socket).ask("doors"))[0]["state"] != "ok":
                await asyncio.sleep(0.05)

"""The composition root of the gateway: buses, pollers, store, uplink and the local socket."""

import asyncio
import logging
import signal
import time
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from types import MappingProxyType
from typing import Any

from drivers.base import Door, Driver, PointValue
from drivers.bus.exchange import Priority, utc_now
from drivers.bus.settings import BleSettings, BusSettings, SerialSettings
from drivers.errors import BusDown, DeviceError
from drivers.factory import create_bus, create_driver
from drivers.profile import Profile
from edge_agent.certificate import Certificate
from edge_agent.clock_watch import ClockWatch, clock_json
from edge_agent.command_key import load_command_key
from edge_agent.commanding import Commander
from edge_agent.config import Device, Settings, Uplink
from edge_agent.config_control import ConfigControl
from edge_agent.config_keeper import WINDOW_S, ConfigKeeper
from edge_agent.control import ControlError, ControlServer
from edge_agent.credential import Credential, Secret, read_secret
from edge_agent.door import DoorKeeper, NotOpened
from edge_agent.downlink import Downlink
from edge_agent.gap_repair import GapRepair
from edge_agent.identity import Signer, load_signer
from edge_agent.incident import CONDITIONS, incident_json
from edge_agent.io_watch import IoKeeper
from edge_agent.lift import LiftKeeper
from edge_agent.live import new_live, value_json
from edge_agent.mqtt_link import MqttTransport
from edge_agent.orderable import orderable
from edge_agent.poller import Poller
from edge_agent.recorder import Recorder
from edge_agent.rules import RuleKeeper, RulesRefused
from edge_agent.shedding import Shedding
from edge_agent.store import Store, StoreError
from edge_agent.store_file import LaneState
from edge_agent.sync import Policy
from edge_agent.transport import Transport
from edge_agent.uplink import TIMEOUT_S, UplinkClient
from edge_agent.workbench import Workbench
from protocols.sync import Lane

log = logging.getLogger("edge")

VERSION = version("gatehouse")


class Agent:
    """One running gateway."""

    def __init__(
        self, settings: Settings, store: Store, *, policy: Policy | None = None, configs: ConfigKeeper | None = None
    ) -> None:
        self.settings = settings
        self._store = store
        self._started = time.monotonic()
        self._recorder = Recorder(store, settings.edge_id)
        self._gaps = GapRepair(self._recorder, settings.zone)
        self._live = new_live(settings.devices)
        self._drivers: dict[str, Driver] = {}
        self._pollers: list[Poller] = []
        self._doors: dict[str, DoorKeeper] = {}
        self._workbench = Workbench(self._recorder)
        self._rules = RuleKeeper(settings.data, settings.edge_id, centre_key=partial(load_command_key, settings.data))
        self._incident: dict[str, Any] | None = None
        self._configs = None if configs is None else ConfigControl(configs, self._recorder, settings.edge_id)
        self._shedding = Shedding(store, settings.quota, self._tell, _now_ms)
        self._uplink: UplinkClient | None = None
        self._downlink: Downlink | None = None
        self._commander: Commander | None = None
        if settings.uplink is not None:
            credential, signer = _credential(settings, settings.uplink), load_signer(settings.data)
            if not settings.uplink.is_mqtt:  # commands come by the centre's own door only
                self._downlink = Downlink(settings.uplink.url, credential, signer.public)
                self._commander = self._new_commander(self._downlink)
                if self._configs is not None:
                    self._downlink.on("config", self._configs.came_down)
            self._uplink = UplinkClient(
                settings.uplink.url,
                credential,
                store,
                self.status,
                signer,
                policy=policy,
                rules=self._rules,
                refused=self._rules_refused,
                configs=self._configs,
                transport=_by_mqtt(settings, settings.uplink, credential, signer),
            )

    def _new_commander(self, link: Downlink) -> Commander:
        edge_id, data = self.settings.edge_id, self.settings.data
        commander = Commander(edge_id, data, self._store, self._drivers, self._doors, link.centre, link.send)
        link.on("hello", commander.greeted)
        link.on("command", commander.ordered)
        link.on_refused(commander.no_message)
        return commander

    async def run(self) -> None:
        """Run until cancelled."""
        control = ControlServer(
            self.settings.socket_path,
            {
                "status": self._answer_status,
                "values": self._answer_values,
                "read": self._answer_read,
                "doors": self._answer_doors,
                "door": self._answer_door,
                "put-back": self._answer_put_back,
                "sync": self._answer_sync,
                "guard": self._answer_guard,
                **({} if self._configs is None else {"config": self._configs.answer}),
                **self._workbench.handlers,
            },
            self._workbench.streams,
        )
        await self._recorder.started(VERSION)
        await self._tell_incidents()
        self._gaps.load()
        await self._load_rules()
        await control.open()
        try:
            async with asyncio.TaskGroup() as tasks:
                for line in self.settings.buses:
                    self._start_bus(tasks, line)
                tasks.create_task(self._shedding.run(), name="shedding")
                tasks.create_task(ClockWatch(lambda: self._store.clock, self._tell).run(), name="clock")
                if self._uplink is not None:
                    tasks.create_task(self._uplink.run(), name="uplink")
                if self._commander is not None and self._downlink is not None:
                    tasks.create_task(self._commander.run(), name="commands")
                    tasks.create_task(self._downlink.run(), name="downlink")
                if self._configs is not None:
                    tasks.create_task(self._configs.run(), name="configs")
                log.info("ready: %d devices on %d buses", len(self._live), len(self._pollers))
        finally:
            await control.close()

    def _start_bus(self, tasks: asyncio.TaskGroup, line: BusSettings) -> None:
        bus = create_bus(line)
        drivers = {
            device.id: create_driver(device.profile, bus, device.address, device.options)
            for device in self.settings.devices
            if device.bus == line.id
        }
        self._drivers |= drivers
        self._workbench.add(line, bus, tuple(it for it in self.settings.devices if it.id in drivers), drivers)
        devices = {device.id: device for device in self.settings.devices}
        watches = {key: LiftKeeper(devices[key], self._recorder).seen for key in drivers if _is_lift(devices[key])}
        watches |= {key: IoKeeper(devices[key], self._recorder).seen for key in drivers if devices[key].watched}
        poller = Poller(bus, drivers, self._live, self._recorder, probe_cost_s(line), watches, self._gaps)
        self._pollers.append(poller)
        tasks.create_task(bus.run(), name=f"bus {line.id}")
        tasks.create_task(poller.run(), name=f"poll {line.id}")
        for key, driver in drivers.items():
            if isinstance(driver, Door):
                door = DoorKeeper(devices[key], driver, self._rules, self._recorder, self.settings.edge_id)
                self._doors[key] = door
                tasks.create_task(door.run(), name=f"door {key}")

    async def _tell_incidents(self) -> None:
        """Raise an alarm for what has befallen the store since it was last told of."""
        try:
            found = await self._store.incidents()
            for incident in found:
                if not incident.is_told:
                    subject, condition = f"gateway:{self.settings.edge_id}", CONDITIONS[incident.kind]
                    await self._recorder.alarm(subject, condition, is_on=True, detail=incident.detail)
            await self._store.tell_incidents()
        except StoreError as error:
            log.error("what has befallen the store cannot be told: %s", error)
            return
        self._incident = incident_json(found)

    async def _tell(self, condition: str, is_on: bool, detail: Mapping[str, Any]) -> None:
        subject = f"gateway:{self.settings.edge_id}"
        await self._recorder.alarm(subject, condition, is_on=is_on, detail=detail)

    async def _load_rules(self) -> None:
        reason: str | None = None
        try:
            await asyncio.to_thread(self._rules.load)
        except RulesRefused as error:
            reason = str(error)
        await self._rules_refused(reason)

    async def _rules_refused(self, reason: str | None) -> None:
        """Tell that rules were not taken, or with None that good ones are in force."""
        if reason is not None:
            log.error("access rules are refused: %s", reason)
        detail = {"error": reason, "rules_version": self._rules.version}
        subject = f"gateway:{self.settings.edge_id}"
        await self._recorder.alarm(subject, "rules_refused", is_on=reason is not None, detail=detail)

    def status(self) -> dict[str, Any]:
        """Describe the gateway as ``edge status --json`` does."""
        uplink = self._uplink
        offset = None if uplink is None else uplink.clock_offset_ms
        now = time.monotonic()
        return {
            "edge_id": self.settings.edge_id,
            "epoch": f"{self._store.epoch:016x}",
            "uptime_s": round(now - self._started, 1),
            "version": VERSION,
            "clock": clock_json(self._store.clock, offset),
            "store": {
                "ok": self._recorder.error is None,
                "error": self._recorder.error,
                "incident": self._incident,
                "quota_percent": round(self._shedding.percent),
            },
            "lanes": lanes_json(self._store.lanes(), self._shedding.tally),
            "uplink": no_uplink("none") if uplink is None else uplink.state().as_json(),
            "downlink": no_downlink("none") if self._downlink is None else self._downlink.as_json(),
            "access": self._rules.as_json(),
            "config": None if self._configs is None else self._configs.as_json(),
            "buses": [poller.as_json() for poller in self._pollers],
            "devices": [
                {**live.as_json(now), "commands": self._orderable(live.device)} for live in self._live.values()
            ],
        }

    def _orderable(self, device: Device) -> list[dict[str, Any]]:
        """List what may be ordered of a device from afar; nothing where there is no centre to do so."""
        is_door = isinstance(self._drivers.get(device.id), Door)
        return [] if self._commander is None else orderable(device.profile, is_door=is_door)

    async def _answer_put_back(self, question: Mapping[str, Any]) -> Any:
        seq = question.get("seq")
        try:
            await self._store.put_back(seq if type(seq) is int else None)
        except StoreError as error:
            raise ControlError(str(error)) from None
        return {"ok": True}

    async def _answer_sync(self, _question: Mapping[str, Any]) -> Any:
        if self._uplink is None:
            raise ControlError("this gateway has no centre to send to. Write its address as url under [uplink].")
        self._uplink.hurry()
        return {"ok": True}

    async def _answer_status(self, _question: Mapping[str, Any]) -> Any:
        return self.status()

    async def _answer_values(self, _question: Mapping[str, Any]) -> Any:
        now = time.monotonic()
        return [{**live.as_json(now), "values": live.values_json()} for live in self._live.values()]

    async def _answer_doors(self, _question: Mapping[str, Any]) -> Any:
        return [door.as_json() for door in self._doors.values()]

    async def _answer_door(self, question: Mapping[str, Any]) -> Any:
        """Open a door for the engineer who may use this socket."""
        if question.get("action") != "open":
            raise ControlError("a door can be told to open, and nothing else")
        door = self._doors.get(str(question.get("door")))
        if door is None:
            raise ControlError(f"there is no door '{question.get('door')}' in this gateway's settings")
        try:
            return await door.open_locally("local command")
        except NotOpened as error:
            raise ControlError(f"'{door.device.id}' was not opened: {error}") from None

    async def _answer_guard(self, question: Mapping[str, Any]) -> Any:
        """Tell which registers are not believed, or take one for right on an engineer's word."""
        if question.get("action", "list") == "list":
            return self._recorder.doubts()
        device, point = str(question.get("device")), str(question.get("point"))
        if not await self._recorder.accept(device, point, str(question.get("operator") or "local command")):
            raise ControlError(f"the register '{point}' of '{device}' is not in doubt: there is nothing to accept")
        return {"device": device, "point": point, "accepted": True}

    async def _answer_read(self, question: Mapping[str, Any]) -> Any:
        """Read a device now, before the polls that wait."""
        live = self._live.get(str(question.get("device")))
        if live is None:
            raise ControlError(f"there is no device '{question.get('device')}' in this gateway's settings")
        points = question.get("points") or live.device.points
        try:
            return await read_device(self._drivers[live.device.id], live.device.profile, points)
        except KeyError as error:
            raise ControlError(f"'{live.device.id}' has no point {error}") from None


async def read_device(driver: Driver, profile: Profile, points: Collection[str] | None) -> dict[str, Any]:
    """Read a device now, as ``edge read`` tells it: what it answered, and what it did not.

    Raises: KeyError for a point that the profile does not have.
    """
    reason: str | None = None
    values: Sequence[PointValue] = ()
    try:
        values = await driver.read(points, Priority.COMMAND)
    except DeviceError as error:
        values, reason = error.partial, error.reason
    except BusDown as error:
        reason = error.reason
    states = {point.name: point.states for point in profile.points}
    return {"values": [value_json(value, states[value.point]) for value in values], "error": reason}


def _by_mqtt(settings: Settings, uplink: Uplink, credential: Credential, signer: Signer) -> Transport | None:
    """Go through a broker where the address is one's. Raises: UplinkError."""
    if not uplink.is_mqtt:
        return None
    centre_key = partial(load_command_key, settings.data)
    return MqttTransport(uplink.url, settings.edge_id, credential, signer, centre_key, TIMEOUT_S)


def _credential(settings: Settings, uplink: Uplink) -> Credential:
    """Choose how the centre knows this gateway. Raises: UplinkError."""
    if uplink.secret_file is None:
        return Certificate(settings.data, settings.edge_id, utc_now)
    return Secret(settings.edge_id, read_secret(uplink.secret_file))


def _is_lift(device: Device) -> bool:
    return device.profile.kind == "lift"


def no_uplink(state: str) -> dict[str, Any]:
    """Describe a link that is not there as ``edge status`` does."""
    return {"state": state, "last_ack_at": None, "retry_in_s": None, "error": None}


def no_downlink(state: str) -> dict[str, Any]:
    """Describe a way down that is not there as ``edge status`` does."""
    return {"state": state, "error": None}


def probe_cost_s(line: BusSettings) -> float:
    """Say how long a line is taken by a device that does not answer."""
    if isinstance(line, BleSettings):
        return 0.5  # most only broadcast and are not asked; who has not been heard is not connected to
    if isinstance(line, SerialSettings):
        return line.timeout_s + (line.timeout_s if line.guard_s is None else line.guard_s) + 40 * line.byte_s
    return line.timeout_s


def lanes_json(
    lanes: Mapping[Lane, LaneState], tally: Mapping[Lane, tuple[int, int]] = MappingProxyType({})
) -> dict[str, Any]:
    """Describe the lanes, with their tombstones and the records these speak of, as ``edge status`` and ``edge buffer status`` do."""
    now = time.time() * 1000
    return {
        lane.word: {
            "next_seq": state.next_seq,
            "acked_seq": state.acked_seq,
            "pending": state.pending,
            "oldest_age_s": None if state.oldest_at is None else round(max(0.0, now - state.oldest_at) / 1000, 1),
            "tombstones": tally.get(lane, (0, 0))[0],
            "thinned": tally.get(lane, (0, 0))[1],
        }
        for lane, state in sorted(lanes.items())
    }


async def run_agent(settings: Settings, *, window_s: float = WINDOW_S) -> None:
    """Run the gateway until SIGTERM or SIGINT; settings on trial are given ``window_s``.

    Raises: SettingsError, StoreError, UplinkError, ControlError before anything is started.
    """
    try:
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        reason = f"the data folder cannot be made ({error.strerror})"
        raise StoreError(f"{settings.data}: {reason}. Choose another [edge] data, or make room for it.") from None
    running = asyncio.current_task()
    assert running is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    configs = ConfigKeeper(settings, window_s=window_s)
    with configs.held():
        await asyncio.to_thread(configs.begin)
        try:
            while not await _run_once(configs):
                await asyncio.to_thread(configs.resume)
        except asyncio.CancelledError:
            log.info("stopped")


async def _run_once(configs: ConfigKeeper) -> bool:
    """Run a gateway by the settings in force; False where it has to begin again, True where it has ended.

    Raises: StoreError, UplinkError, ControlError, SettingsError.
    """
    settings = configs.settings
    try:
        async with await Store.open(settings.store_path, settings.edge_id) as store:
            return await _run_until_over(Agent(settings, store, configs=configs), store, configs)
    except Exception as error:  # whatever new settings do to it, the gateway has to run by the last good ones
        if not configs.is_on_trial:
            raise
        log.exception("the gateway does not run by the settings on trial")
        await configs.failed(f"the gateway did not run: {_innermost(error)}")
        return False


def _innermost(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__


async def _run_until_over(agent: Agent, store: Store, configs: ConfigKeeper) -> bool:
    """Run a gateway; False where it has to begin again: its store is damaged, or it has other settings."""
    configs.follow(agent.status)
    work = asyncio.create_task(agent.run())
    damaged, changed = asyncio.create_task(store.damaged.wait()), asyncio.create_task(configs.changed.wait())
    trial = asyncio.create_task(configs.watch())
    try:
        await asyncio.wait((work, damaged, changed, trial), return_when=asyncio.FIRST_COMPLETED)
        if damaged.done():
            log.error("the store is damaged; the gateway begins again with what can be saved of it")
            return False
        if changed.done():
            log.info("the gateway begins again with other settings")
            return False
        await (trial if trial.done() else work)
        return True
    finally:
        for task in (work, damaged, changed, trial):
            task.cancel()
        await asyncio.wait((work, damaged, changed, trial))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

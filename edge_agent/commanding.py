"""The centre's commands at the gateway: believed, journalled, carried out at most once, and answered for.

a command --> not believed                    nothing is stored of it; told as refused, seldom
          --> known already                   answered with what became of it
          --> expired, too far, not allowed   journalled as ended
          --> journalled as begun --> done, failed, unknown
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import Any

from drivers.base import Door, Driver
from drivers.bus.exchange import utc_now
from drivers.errors import DriverError
from edge_agent.centre_time import CentreTime, latest_now
from edge_agent.command_key import keep_command_key, load_command_key
from edge_agent.command_log import BEGUN, CommandLog, about_command
from edge_agent.credential import UplinkError
from edge_agent.door import DoorKeeper, NotOpened
from edge_agent.orderable import kind_of
from edge_agent.store import RecordRefused, Store, StoreError
from edge_agent.write import NotWritten, Order, carry_out
from protocols.command import (
    DONE,
    EXPIRED,
    FAILED,
    OPEN,
    REFUSED,
    RESULT,
    UNKNOWN,
    Command,
    is_command_key,
    read_command,
    too_far,
    too_late,
)
from protocols.errors import ProtocolError
from protocols.sync import Event, Lane

log = logging.getLogger("edge.command")

_TELL_AGAIN_S = 60.0
_MOST_AT_ONCE = 16
_LOOKS = 2  # at a door that was opened
_OUTCOMES = {"done": DONE, "refused": FAILED, "unanswered": UNKNOWN}

Ended = tuple[str, str | None, Mapping[str, Any] | None]  # state, error, read back


class Commander:
    """Carry out commands; ``run`` it in a task, and give it what comes down.

    Shape: ``drivers`` and ``doors`` are the gateway's own tables, filled while it starts; ``send`` answers
    the centre where it has said a thing twice.
    """

    def __init__(
        self,
        edge_id: str,
        data: Path,
        store: Store,
        drivers: Mapping[str, Driver],
        doors: Mapping[str, DoorKeeper],
        centre: CentreTime,
        send: Callable[[Mapping[str, Any]], bool],
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._edge_id = edge_id
        self._data = data
        self._store = store
        self._drivers = drivers
        self._doors = doors
        self._centre = centre
        self._send = send
        self._clock = clock
        self._log = CommandLog(store)
        self._key: str | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._is_ready = asyncio.Event()
        self._turns: dict[str, asyncio.Lock] = {}
        self._under_way = 0
        self._refused: dict[str, int] = {}
        self._refused_at: dict[str, float] = {}

    async def run(self) -> None:
        """Tell what an earlier process has left, then carry out what comes until cancelled."""
        await self._catch_up()
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self._is_ready.set()
            await asyncio.Event().wait()

    async def greeted(self, message: Mapping[str, Any]) -> None:
        """Learn the centre's command key at its first word; another one later is not believed."""
        told = message.get("command_key")
        if not is_command_key(told):
            return
        try:
            known = await asyncio.to_thread(load_command_key, self._data)
            if known is None:
                await asyncio.to_thread(keep_command_key, self._data, str(told))
                known = str(told)
        except UplinkError as error:
            log.error("commands are refused: %s", error)
            self._key = None
            return
        self._key = known
        if known != told:
            log.error(
                "the centre shows another command key than this gateway knows, so its commands are refused. If the "
                "centre was set up anew, enrol this gateway again, or delete identity/command.key."
            )

    async def ordered(self, message: Mapping[str, Any]) -> None:
        """Take a command that has come down; returns before it is carried out."""
        await self._is_ready.wait()  # what was begun before is ended first
        assert self._tasks is not None
        if self._under_way >= _MOST_AT_ONCE:
            await self._refuse("busy", "too many commands at once", message.get("command"))
            return
        self._under_way += 1
        self._tasks.create_task(self._take_safely(message.get("command")), name="command")

    async def no_message(self, error: ProtocolError) -> None:
        """Tell of something that came down and is no message."""
        await self._refuse(error.kind, error.detail, None)

    async def _take_safely(self, told: Any) -> None:
        try:
            await self.take(told)
        except (StoreError, RecordRefused) as error:
            log.error("a command was not carried out, because it could not be written down: %s", error)
        except Exception:  # the command task's boundary
            log.exception("a command failed by a fault in this program")
        finally:
            self._under_way -= 1

    async def take(self, told: Any) -> None:
        """Carry a command out, if it is one and was not before.

        Raises: StoreError where its beginning or its end could not be stored.
        """
        try:
            if self._key is None:
                await self._refuse("no_key", "the centre's command key is not known here", told)
                return
            command = read_command(told, self._edge_id, self._key)
        except ProtocolError as error:
            await self._refuse(error.kind, error.detail, told)
            return
        async with self._turns.setdefault(command.device, asyncio.Lock()):
            await self._take(command)

    async def _take(self, command: Command) -> None:
        now = self._now()
        found = self._objection(command, now)
        end = None if found is None else (found[0], _told(command, found))
        entry = await self._log.begin(command, now or 0, end)
        if entry.state == BEGUN:
            if not entry.is_new:
                return  # under way: its end will be told
            ended = await self._carry_out(command)
            told = _told(command, ended)
            await self._log.finish(command.id, ended[0], told)
            await self._tell(told)
        elif entry.is_new:
            await self._tell(entry.told)
        else:
            self._send({"type": "command_result", **entry.told})

    def _now(self) -> int | None:
        """Say how late it may be, in milliseconds UTC."""
        centre = self._centre.now(time.monotonic_ns() // 1_000_000)
        return latest_now(self._store.clock, time.time_ns() // 1_000_000, centre)

    def _objection(self, command: Command, now: int | None) -> Ended | None:
        """Say why a command is not carried out."""
        if now is None:
            return (
                FAILED,
                "The gateway does not know what time it is, so it cannot tell whether this is too late.",
                None,
            )
        if too_late(command, now):
            return EXPIRED, None, None
        driver = self._drivers.get(command.device)
        if driver is None:
            return FAILED, f"There is no device '{command.device}' in this gateway's settings.", None
        kind = kind_of(driver.profile, command.action, command.args, is_door=command.device in self._doors)
        if kind is None:
            return FAILED, f"'{command.device}' does not take this command: its profile does not list it.", None
        if kind != command.kind or too_far(command, now):
            return FAILED, f"A command of the class '{kind}' may not live as long as this one would.", None
        return None

    async def _carry_out(self, command: Command) -> Ended:
        """Do it, within its time; what is under way when that ends may have happened."""
        now = self._now()
        left_s = 0.0 if now is None else (command.expires_at - now) / 1000
        if left_s <= 0:  # the journal took too long
            return EXPIRED, None, None
        log.info("%s: %s, ordered by %s", command.device, command.action, command.actor)
        try:
            async with asyncio.timeout(left_s):
                return await (self._open(command) if command.action == OPEN else self._write(command, left_s))
        except TimeoutError:
            return UNKNOWN, "The device did not answer before the command expired: it may have acted or not.", None

    async def _open(self, command: Command) -> Ended:
        door, driver = self._doors[command.device], self._drivers[command.device]
        try:
            await door.open_locally(command.actor)
        except NotOpened as error:
            return (UNKNOWN if error.may_be_open else FAILED), str(error), None
        assert isinstance(driver, Door)
        for _ in range(_LOOKS):
            with contextlib.suppress(DriverError):
                status = await driver.read_door()
                return DONE, None, {key: word for key, word in status._asdict().items() if word is not None}
        return DONE, None, None

    async def _write(self, command: Command, left_s: float) -> Ended:
        driver = self._drivers[command.device]
        try:
            value = Decimal(command.args["value"])
        except InvalidOperation:
            return FAILED, f"'{command.args['value']}' is not a number.", None
        # The driver looks at the wall clock, which may be wrong: the time that is left is not.
        expires_at = self._clock().astimezone(UTC) + timedelta(seconds=left_s)
        order = Order(command.device, command.args["point"], value, command.actor, "centre", expires_at)
        try:
            told = await carry_out(driver, order, partial(self._journal, lane=Lane.CONTROL))
        except NotWritten as error:
            return FAILED, str(error), None
        return _OUTCOMES[told["outcome"]], told["error"], told["read_back"]

    async def _journal(self, event: Event, lane: Lane) -> bool:
        try:
            await self._store.append(lane, (event,))
        except (RecordRefused, StoreError):
            return False
        return True

    async def _catch_up(self) -> None:
        try:
            for told in await self._log.recover():
                await self._tell(told)
        except (RecordRefused, StoreError) as error:
            log.error("what became of the last commands cannot be told: %s", error)

    async def _tell(self, told: Mapping[str, Any]) -> None:
        """Put a command's end into the control lane; what a crash tells twice the centre takes once."""
        subject = f"device:{told['device']}"
        await self._store.append(Lane.CONTROL, (Event(RESULT, subject, time.time_ns() // 1_000_000, dict(told)),))
        await self._log.mark_told(told["id"])

    async def _refuse(self, kind: str, reason: str, told: Any) -> None:
        """Have it known that something came that is no command of ours, once a minute for each kind."""
        self._refused[kind] = self._refused.get(kind, 0) + 1
        now = time.monotonic()
        if now - self._refused_at.get(kind, -_TELL_AGAIN_S) < _TELL_AGAIN_S:
            return
        self._refused_at[kind] = now
        log.warning("a command was refused: %s", reason)
        found = told.get("id") if isinstance(told, dict) else None
        body = {"reason": kind, "error": reason, "times": self._refused.pop(kind), "id": ascii(found)[:64]}
        event = Event(REFUSED, f"gateway:{self._edge_id}", time.time_ns() // 1_000_000, body)
        await self._journal(event, Lane.CONTROL)


def _told(command: Command, ended: Ended) -> dict[str, Any]:
    state, error, back = ended
    return {**about_command(command), "state": state, "error": error, "read_back": None if back is None else dict(back)}

"""One door: a small fast loop of its own that looks and decides; what it finds is recorded, and only then acted on.

    card shown --> decide --> denied:  record
                          --> granted: record, committed --> relay
                                       not committed     --> the door stays shut
    fire       --> open again and again while it lasts, recorded where the store takes it

The loop never waits for the store: a second task records, in order, and opens what it has recorded,
so that a disk that hangs keeps nobody from noticing a fire. The relay is the module's own timer, so that a gateway that dies in a pulse leaves no door open.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from drivers.base import CardBell, CardRead, Door, DoorStatus, Feedback
from drivers.errors import BusDown, DeviceError, DeviceOffline, DriverError
from edge_agent.access import Decision, decide
from edge_agent.config import Device
from edge_agent.door_alarm import DoorWatch, look
from edge_agent.live import iso_ms
from edge_agent.reader import known_as, presented
from edge_agent.recorder import Recorder
from edge_agent.rules import RuleKeeper
from protocols.access import DECISION, DoorRule
from protocols.errors import ProtocolError
from protocols.sync import Event

log = logging.getLogger("edge.door")

_LONGEST_PAUSE_S = 5.0  # between two looks at a module that does not answer
_FIRE_PULSE_MS, _FIRE_EVERY_S = 20_000, 15.0
_MOST_UNRECORDED = 1_000
_OPEN_WITHIN_S = 5.0  # from the card to the relay; later nobody stands there any more


class NotOpened(Exception):
    """The door was not opened as far as is known; the sentence says why, ``may_be_open`` where nobody answered."""

    def __init__(self, reason: str, *, may_be_open: bool = False) -> None:
        super().__init__(reason)
        self.may_be_open = may_be_open


class DoorKeeper:
    """Watch one door until cancelled."""

    def __init__(self, device: Device, driver: Door, rules: RuleKeeper, recorder: Recorder, edge_id: str) -> None:
        self.device = device
        self._driver = driver
        self._rules = rules
        self._recorder = recorder
        self._edge_id = edge_id
        self._subject = f"door:{device.id}"
        self._counter: int | None = None
        self._read_at = time.monotonic()
        self._failures = 0
        self._watch = DoorWatch()
        self._status = DoorStatus(None, None, None)
        self._released_until: float | None = None
        self._fire_due_at = 0.0
        self._conditions: Mapping[str, bool] = {}
        self._last: dict[str, Any] | None = None
        self._records: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue(_MOST_UNRECORDED)
        self._shows: asyncio.Queue[bool] = asyncio.Queue(2)
        self.error: str | None = None

    async def run(self) -> None:
        """Look, record and open until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_looking(), name=f"look {self.device.id}")
            tasks.create_task(self._keep_recording(), name=f"record {self.device.id}")
            tasks.create_task(self._keep_showing(), name=f"show {self.device.id}")

    async def _keep_looking(self) -> None:
        period_s = self.device.card_ms / 1000
        while True:
            began = time.monotonic()
            try:
                await self._look()
                self._failures, self.error = 0, None
            except (DeviceError, BusDown) as error:
                self._failures, self.error = self._failures + 1, error.reason
            except Exception:  # the device task's boundary
                log.exception("%s: a fault in this program", self.device.id)
                self._failures, self.error = self._failures + 1, "a fault in this program; the log has it"
            # A dead module on a line with others must not eat up the line.
            pause_s = min(_LONGEST_PAUSE_S, period_s * 2.0 ** min(self._failures, 16)) if self._failures else period_s
            await self._pause(max(0.01, began + pause_s - time.monotonic()))

    async def _pause(self, pause_s: float) -> None:
        """Wait for the next look, or for a card where the reader tells of it."""
        if not isinstance(self._driver, CardBell):
            await asyncio.sleep(pause_s)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._driver.card_shown()

    async def _keep_recording(self) -> None:
        while True:
            record = await self._records.get()
            try:
                await record()
            except Exception:  # the device task's boundary
                log.exception("%s: a fault in this program", self.device.id)

    async def _keep_showing(self) -> None:
        """Show decisions where the reader can; a slow reader must not hold up a record or a relay."""
        while True:
            is_granted = await self._shows.get()
            if not isinstance(self._driver, Feedback):
                continue
            try:
                await self._driver.show_decision(is_granted=is_granted)
            except DriverError as error:
                log.warning("%s: the reader did not show the decision: %s", self.device.id, error.reason)

    def _soon(self, record: Callable[[], Awaitable[None]]) -> None:
        """Have something recorded, after what waits already."""
        try:
            self._records.put_nowait(record)
        except asyncio.QueueFull:
            log.error("%s: the store has hung for so long that a record is lost", self.device.id)

    async def open_locally(self, by: str) -> dict[str, Any]:
        """Open the door for the engineer at the gateway, or whom the centre has named; gives the decision.

        Raises: NotOpened.
        """
        event = self._event(Decision(True, "granted"), secrets.token_hex(4), by=by)
        if not await self._commit(event):
            raise NotOpened("the decision could not be stored, so the door stays shut; see 'edge status'")
        if (error := await self._open(event, self._rule().pulse_ms)) is not None:
            raise NotOpened(error.reason, may_be_open=isinstance(error, DeviceOffline | BusDown))
        return event.body

    def as_json(self) -> dict[str, Any]:
        """Describe the door as ``edge doors`` does."""
        return {
            "id": self.device.id,
            "name": self.device.name,
            "state": "unknown" if self._watch.seen_at is None else "ok" if self.error is None else "offline",
            "error": self.error,
            "door": self._status.door,
            "lock": self._status.lock,
            "tamper": self._status.tamper,
            "fire": self._status.fire,
            "alarms": sorted(condition for condition, is_on in self._conditions.items() if is_on),
            "last_decision": self._last,
            "rules_version": self._rules.version,
        }

    def _rule(self) -> DoorRule:
        book = self._rules.book
        return DoorRule(self.device.id) if book is None else book.door(self.device.id)

    async def _look(self) -> None:
        card = await self._driver.read_card()
        if card is not None and (event := self._follow(card)) is not None:
            await self._open_for_fire(event)
        self._status = await self._driver.read_door()
        if self._status.fire == "fire" and time.monotonic() >= self._fire_due_at:
            event = self._event(Decision(True, "emergency_open"), secrets.token_hex(4), by="fire contact")
            await self._open_for_fire(event)
        self._watch, conditions = look(
            self._watch,
            self._status,
            time.monotonic(),
            released_until=self._released_until,
            held_open_s=self._rule().held_open_s,
        )
        changed = [it for it in conditions.items() if it not in self._conditions.items()]
        self._conditions = conditions
        for condition, is_on in changed:
            self._soon(partial(self._alarm, condition, self._status, is_on=is_on))

    async def _alarm(self, condition: str, status: DoorStatus, *, is_on: bool) -> None:
        detail = {"door": status.door, "lock": status.lock, "held_open_s": self._rule().held_open_s}
        await self._recorder.alarm(f"device:{self.device.id}", condition, is_on=is_on, detail=detail)

    def _follow(self, card: CardRead) -> Event | None:
        """Notice a card that was shown since the last look; gives its decision if it opens without a record."""
        now = time.monotonic()
        found = presented(self._counter, card.counter, max(now - self._read_at, card.age_s))
        self._counter, self._read_at = card.counter, now
        if found.missed != 0:
            log.warning("%s: cards missed: %s", self.device.id, found.why)
            body = {"door": self.device.id, "missed": found.missed, "why": found.why, "counter": card.counter}
            self._soon(partial(self._recorder.tell, Event("cards_missed", self._subject, _now_ms(), body)))
        if not found.is_new:
            return None
        try:
            card = known_as(card, self.device.card_rules)
        except ProtocolError as error:
            if self._status.fire != "fire":  # in a fire every card opens, even one that nobody can read
                self._not_read(card, error)
                return None
        return self._decide(card, now)

    def _not_read(self, card: CardRead, error: ProtocolError) -> None:
        """Record a card that its reader's rule does not take; nobody can say whose it was."""
        log.warning("%s: a card was not read: %s", self.device.id, error.detail)
        body = {"door": self.device.id, "missed": 1, "why": error.detail, "counter": card.counter}
        body["card"] = {"bits": card.bits, "number": f"{card.number:x}"}
        self._soon(partial(self._recorder.tell, Event("cards_missed", self._subject, _now_ms(), body)))
        self._show(is_granted=False)

    def _decide(self, card: CardRead, shown_at: float) -> Event | None:
        """Decide at once; what follows is the recording task's, but in a fire."""
        decision = decide(
            card,
            self.device.id,
            self._rules.now(),
            self._rules.book,
            silent_s=self._rules.silent_s,
            is_fire=self._status.fire == "fire",
        )
        event = self._event(decision, str(card.counter), card)
        if decision.reason == "emergency_open":
            return event
        if decision.is_granted:
            self._soon(partial(self._grant, event, shown_at))
        else:
            self._note(event)
            self._soon(partial(self._recorder.tell, event))
            self._show(is_granted=False)
        return None

    def _show(self, *, is_granted: bool) -> None:
        """Have the reader show what was decided; where it is still busy with the last, nothing."""
        with contextlib.suppress(asyncio.QueueFull):
            self._shows.put_nowait(is_granted)

    async def _grant(self, event: Event, shown_at: float) -> None:
        if not await self._commit(event):
            return
        if time.monotonic() - shown_at > _OPEN_WITHIN_S:
            self._not_opened(event, "the store was too slow, and whoever stood there may have gone")
        elif await self._open(event, self._rule().pulse_ms) is None:
            self._show(is_granted=True)

    async def _open_for_fire(self, event: Event) -> None:
        """Open whatever happens; the record comes when it can."""
        self._note(event)
        self._soon(partial(self._recorder.tell, event))
        self._fire_due_at = time.monotonic() + _FIRE_EVERY_S
        await self._open(event, _FIRE_PULSE_MS)

    async def _commit(self, event: Event) -> bool:
        if not await self._recorder.commit(event):
            log.error("%s stays shut: the decision could not be stored", self.device.id)
            return False
        self._note(event)
        return True

    async def _open(self, event: Event, pulse_ms: int) -> DriverError | None:
        """Pulse the relay; gives why it did not, recorded, if it did not."""
        self._released_until = time.monotonic() + pulse_ms / 1000
        try:
            await self._driver.open_door(pulse_ms)
        except DriverError as error:
            self._not_opened(event, error.reason)
            return error
        self._released_until = time.monotonic() + pulse_ms / 1000
        return None

    def _not_opened(self, event: Event, reason: str) -> None:
        """Record that a granted door did not move; the decision itself stays as it was taken."""
        log.error("%s did not open: %s", self.device.id, reason)
        body = {"decision_id": event.body["decision_id"], "door": self.device.id, "error": reason}
        self._soon(partial(self._recorder.tell, Event("door_not_opened", self._subject, _now_ms(), body)))

    def _event(self, decision: Decision, mark: str, card: CardRead | None = None, **more: str) -> Event:
        """Write a decision down; the counter wraps, so the instant makes its number unique."""
        at = _now_ms()
        body: dict[str, Any] = {
            "decision_id": f"{self._edge_id}/{self.device.id}/{at}-{mark}",
            "door": self.device.id,
            "granted": decision.is_granted,
            "reason": decision.reason,
            "credential": decision.credential,
            "rules_version": self._rules.version,
            "offline": self._rules.is_offline,
            **more,
        }
        if card is not None:
            body["counter"] = card.counter
            if decision.credential is None:
                body["card"] = {"bits": card.bits, "number": f"{card.number:x}"}
        return Event(DECISION, self._subject, at, body)

    def _note(self, event: Event) -> None:
        self._rules.decisions += 1
        self._last = {**event.body, "at": iso_ms(event.at)}
        log.info("%s: %s", self.device.id, event.body["reason"])


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

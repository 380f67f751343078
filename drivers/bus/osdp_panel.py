"""libosdp's control panel in a thread of its own: it alone touches the library.

Source: libosdp 3.2.9 and its Python binding, as found by trying. What it needs watching for:

- a device that falls silent is missed after 8 s and then left alone for 300 s, and so is one that
  refuses a single command; a few dead ones leave no time for the living: ``osdp_watch`` says when
  each is disabled and enabled
- callbacks run inside the library: here they only leave what they were told
- an event names the index of a device, not its address
- a command that is not as the library wants it ends in a SystemError: what goes in is checked before
- its masks of states have 32 bits
"""

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import osdp_sys  # type: ignore[import-not-found,unused-ignore]

from drivers.bus.osdp_watch import Stage, Watch
from drivers.bus.osdp_wire import Wire
from protocols.osdp.code import POLL
from protocols.osdp.frame import Frame, encode_command

log = logging.getLogger("edge.osdp")

MOST_DEVICES = 32
CONTACTS, OUTPUTS, LAMPS, BUZZERS = 1, 2, 4, 5
ABILITIES = (CONTACTS, OUTPUTS, LAMPS, BUZZERS)
_REFRESH_S = 0.01  # the library wants to be called every 50 ms at least
_LOOK_S = 0.2
_POLL_S = 0.22  # the standard gives a device 0.2 s to answer
_BETWEEN_DEAD_S = 0.5  # so that silence never takes more than a third of the line
_FREE_WITHIN_S = 2.0
_STOP_S = 3.0


class Member(NamedTuple):
    """A device on the line; without ``is_enforced`` it may be reached by the default key, to be given its own."""

    address: int
    key: bytes
    is_enforced: bool


@dataclass(frozen=True, slots=True)
class Told:
    """Something that a device said: the library's own event. Units: ``at`` is monotonic seconds."""

    address: int
    event: dict[str, Any]
    at: float


@dataclass(frozen=True, slots=True)
class State:
    """How the session with a device stands.

    Shape: ``heard_at`` is when it last answered at all, by the monotonic clock; ``abilities`` the
    functions of its capability report that it has at least one of.
    """

    address: int
    is_online: bool
    is_secure: bool
    heard_at: float | None
    abilities: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Done:
    """How a command that was handed in ended."""

    number: int
    is_done: bool
    frame: Frame | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """The line or the library is gone; the thread has ended."""

    reason: str


News = Told | State | Done | Lost


class Panel:
    """One line's sessions; ``tell`` is called in the panel's thread.

    Units: a device that has not answered for ``silent_s`` is given up.
    """

    def __init__(
        self, wire: Wire, members: Sequence[Member], tell: Callable[[News], None], name: str, silent_s: float
    ) -> None:
        self._wire = wire
        self._silent_s = silent_s
        self._members = list(members)
        self._tell = tell
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._waiting: list[deque[int]] = [deque() for _ in members]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"osdp {name}", daemon=True)
        self._panel: Any = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close the line, blocking."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)

    def submit(self, number: int, address: int, command: dict[str, Any]) -> None:
        """Have a command sent in its turn; ``Done`` with this number tells how it ended."""
        self._orders.put(lambda: self._submit(number, address, command))

    def flush(self, address: int) -> None:
        """Take back what has not been sent yet: nobody waits for it any more."""
        self._orders.put(lambda: self._flush(address))

    def exchange(self, number: int, request: bytes, accept: Callable[[Frame], bool], timeout_s: float) -> None:
        """Ask once in clear, between two turns of the library; ``Done`` brings the answer."""
        self._orders.put(lambda: self._exchange(number, request, accept, timeout_s))

    def _run(self) -> None:
        reason = ""
        try:
            self._panel = self._open()
            self._turn()
        except Exception as error:  # the thread's boundary: whatever the library raises ends this session only
            log.exception("libosdp failed")
            reason = f"the OSDP library failed ({error})"
        finally:
            self._panel = None
            self._wire.close()
            if not self._stop.is_set():
                self._tell(Lost(reason or self._wire.lost or "the line is lost"))

    def _open(self) -> Any:
        osdp_sys.set_loglevel(osdp_sys.LOG_EMERG)
        if not self._members:
            return None
        panel = osdp_sys.ControlPanel([self._info(member) for member in self._members])
        panel.set_event_callback(self._on_event)
        panel.set_command_completion_callback(self._on_completion)
        return panel

    def _info(self, member: Member) -> dict[str, Any]:
        flags = osdp_sys.FLAG_ENABLE_NOTIFICATION
        if member.is_enforced:
            flags |= osdp_sys.FLAG_ENFORCE_SECURE
        identity = dict.fromkeys(("version", "model", "vendor_code", "serial_number", "firmware_version"), 0)
        name = f"device {member.address}"
        told = {"name": name, "address": member.address, "flags": flags, "scbk": member.key, "channel": self._wire}
        return told | identity

    def _turn(self) -> None:
        watches = [Watch() for _ in self._members]
        states = [State(member.address, False, False, None) for member in self._members]
        for index, state in enumerate(states):
            self._tell(state)
            self._give_up(index)  # until it has answered a poll
        self._poll_all(watches)
        poll_at = look_at = 0.0
        while not self._stop.is_set() and self._wire.lost is None:
            if self._panel is not None:
                self._panel.refresh()
            if time.monotonic() >= look_at:
                self._look(watches, states)
                look_at = time.monotonic() + _LOOK_S
            if time.monotonic() >= poll_at and self._poll_next(watches) is False:
                poll_at = time.monotonic() + _BETWEEN_DEAD_S
            while not self._orders.empty():
                self._orders.get()()
            self._stop.wait(_REFRESH_S)

    def _look(self, watches: list[Watch], states: list[State]) -> None:
        """Tell what has changed, and let go of whoever is lost."""
        if self._panel is None:
            return
        online, secure = self._panel.status(), self._panel.sc_status()
        now = time.monotonic()
        for index, watch in enumerate(watches):
            address = self._members[index].address
            heard_at = self._wire.heard.get(address)
            is_silent = heard_at is not None and now - heard_at > self._silent_s
            is_online, abilities = bool(online >> index & 1), states[index].abilities
            if watch.look(now, is_online=is_online, is_silent=is_silent):
                self._give_up(index)
            is_online = watch.stage is Stage.ONLINE  # the library says so of a lost one for a while yet
            if is_online and not states[index].is_online:
                abilities = self._abilities(index)
            state = State(address, is_online, is_online and bool(secure >> index & 1), heard_at, abilities)
            if state != states[index]:
                states[index] = state
                self._tell(state)

    def _poll_all(self, watches: list[Watch]) -> None:
        """Find out who is there before any session needs the line."""
        if self._panel is None:
            return
        while any(self._panel.is_pd_enabled(index) for index in range(len(watches))):
            self._panel.refresh()
            if self._stop.wait(_REFRESH_S):
                return
        while not self._stop.is_set() and self._wire.lost is None and any(watch.due_at == 0 for watch in watches):
            self._poll_next(watches)

    def _poll_next(self, watches: list[Watch]) -> bool | None:
        """Poll the device that has waited longest, and hand it to the library if it answers; None if none is due."""
        now = time.monotonic()
        due = [
            (watch.due_at, index)
            for index, watch in enumerate(watches)
            if watch.is_due(now) and not self._panel.is_pd_enabled(index)
        ]
        if not due:
            return None
        index = min(due)[1]
        address = self._members[index].address
        request = encode_command(address, POLL)
        frame = self._ask(request, lambda frame: frame.is_reply and frame.address == address, _POLL_S)
        watches[index].polled(time.monotonic(), has_answered=frame is not None)
        if frame is not None:
            self._wire.muted.discard(address)
            self._panel.enable_pd(index)
        return frame is not None

    def _give_up(self, index: int) -> None:
        self._wire.muted.add(self._members[index].address)
        self._panel.disable_pd(index)

    def _abilities(self, index: int) -> frozenset[int]:
        """Ask what the device has: a command that it does not know would cost its session."""
        told = {function: self._panel.check_capability(index, function) for function in ABILITIES}
        counted = (CONTACTS, OUTPUTS)
        return frozenset(key for key, (level, count) in told.items() if (count if key in counted else level))

    def _submit(self, number: int, address: int, command: dict[str, Any]) -> None:
        index = next((place for place, member in enumerate(self._members) if member.address == address), None)
        if index is None or not self._panel.submit_command(index, command):
            self._tell(Done(number, is_done=False))
        else:
            self._waiting[index].append(number)

    def _flush(self, address: int) -> None:
        for index, member in enumerate(self._members):
            if member.address == address:
                self._panel.flush_commands(index)

    def _exchange(self, number: int, request: bytes, accept: Callable[[Frame], bool], timeout_s: float) -> None:
        frame = self._ask(request, accept, timeout_s)
        self._tell(Done(number, is_done=frame is not None, frame=frame))

    def _ask(self, request: bytes, accept: Callable[[Frame], bool], timeout_s: float) -> Frame | None:
        """Ask in clear as soon as nobody owes the library an answer."""
        deadline = time.monotonic() + _FREE_WITHIN_S
        while not self._wire.is_free and not self._stop.is_set() and self._wire.lost is None:
            if time.monotonic() > deadline:
                return None
            if self._panel is not None:
                self._panel.refresh()
            self._stop.wait(_REFRESH_S)
        return self._wire.exchange(request, accept, timeout_s)

    def _on_event(self, index: int, event: dict[str, Any]) -> int:
        self._tell(Told(self._members[index].address, dict(event), time.monotonic()))
        return 0

    def _on_completion(self, index: int, _command: dict[str, Any], status: int) -> None:
        if self._waiting[index]:
            self._tell(Done(self._waiting[index].popleft(), is_done=status == osdp_sys.COMPLETION_OK))

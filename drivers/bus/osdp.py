"""A line of OSDP readers and door controllers, each in a secure channel with a key of its own.

The sessions are libosdp's, in a thread (``osdp_panel``); this is the loop's side of it: what every
device said last, and commands one after the other. No device is ever spoken to with the default
key but one that is being installed, and then only to give it its own.
"""

import asyncio
import itertools
import logging
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from drivers.bus import osdp_panel
from drivers.bus.exchange import Answer, Clock, Exchange, FrameExchange, OsdpCommand, Priority, utc_now
from drivers.bus.osdp_key import KeyRefused, make_key, read_key
from drivers.bus.osdp_panel import MOST_DEVICES, Done, Lost, Member, News, Panel, State, Told
from drivers.bus.osdp_reader import RawCard, Reader, Report
from drivers.bus.osdp_wire import open_wire
from drivers.bus.owner import FIRST_PAUSE_S, Bus
from drivers.bus.settings import OsdpSettings
from drivers.errors import BusDown, DeviceError, DeviceOffline, DeviceRefused, DriverError
from protocols.errors import ApplicationError, ProtocolError
from protocols.osdp import code
from protocols.osdp.field import decode_keys
from protocols.osdp.frame import Frame

log = logging.getLogger("edge.osdp")

LAMP, BUZZER, STATUS = 0x69, 0x6A, 0x64
LOCAL, INPUTS, OUTPUTS = "local", "inputs", "outputs"
# The library's own numbers, which its binding names as well.
_COMMANDS = {code.OUT: 1, LAMP: 2, BUZZER: 3, STATUS: 9}
_CARD, _KEYS, _STATUS, _NOTE = 1, 2, 4, 5
_CHANNEL_NOTE = 1
_REPORTS = {2: LOCAL, 0: INPUTS, 1: OUTPUTS}
REPORT_NUMBERS = {kind: number for number, kind in _REPORTS.items()}
_NEEDS = {INPUTS: osdp_panel.CONTACTS, OUTPUTS: osdp_panel.OUTPUTS}
_SILENT_S = 2.0  # a device is polled many times a second
_TURN_S = 0.25  # what each device of a long line may cost the others, a dead one first of all
_FIRST_SESSION_S, _GLANCE_S = 3.5, 0.05
_HANDSHAKE_S, _LATELY_S = 3.0, 30.0
_SETTLE_S = 0.5  # within which a device that tells by itself has told
_MOST_KEYS = 16
_WRAP = 0x10000


class OsdpBus(Bus):
    """The owner of one line; ``add_reader`` before it runs."""

    kind = "osdp"
    speaks = frozenset({"osdp"})

    def __init__(self, settings: OsdpSettings, *, clock: Clock = utc_now, first_pause_s: float = FIRST_PAUSE_S) -> None:
        super().__init__(settings.id, clock=clock, first_pause_s=first_pause_s)
        self._settings = settings
        self._readers: dict[int, Reader] = {}
        self._panel: Panel | None = None
        self._lost: str | None = None
        self._opened_at: float | None = None
        self._turn_no = 0  # what a thread that has been stopped still had to tell is not heard
        self._numbers = itertools.count()
        self._pending: dict[int, asyncio.Future[Done]] = {}

    def add_reader(self, address: int, key_file: Path | None, *, is_installing: bool = False) -> Reader:
        """Put a device on the line.

        Raises: DriverError where no more can stand on it.
        """
        if len(self._readers) == MOST_DEVICES:
            raise DriverError(f"The bus '{self.id}' has {MOST_DEVICES} OSDP devices already. Give the others a line.")
        reader = Reader(address, key_file, is_installing)
        self._readers[address] = reader
        return reader

    def check_reader(self, address: int, *, is_trusted: bool = False) -> Reader:
        """Give a device that is in its session now; ``is_trusted`` in one with a key of its own.

        Raises: BusDown, DeviceRefused, DeviceOffline.
        """
        reader = self._readers[address]
        if reader.refusal is not None:
            raise DeviceRefused(reader.refusal)
        if self._lost is not None or self._error is not None:
            raise BusDown(self._lost or self._error or "")
        if not reader.is_online or not (reader.is_secure or reader.is_installing):
            raise DeviceOffline(self._why_offline(reader))
        if reader.heard_at is not None and self._monotonic() - reader.heard_at > self._silent_s:
            raise DeviceOffline(
                f"The device {address} on bus '{self.id}' has fallen silent. Check its power and cable."
            )
        if is_trusted and not reader.is_trusted:
            raise DeviceRefused(
                f"The device {address} on bus '{self.id}' has no key of its own yet; until then it opens nothing."
            )
        return reader

    async def await_session(self, address: int) -> None:
        """Wait for a device's first session after the line was opened, as long as one takes to come about."""
        reader = self._readers[address]
        began = self._monotonic()
        for _ in range(int(_FIRST_SESSION_S / _GLANCE_S)):
            now = self._monotonic()
            is_over = now - (began if self._opened_at is None else self._opened_at) > _FIRST_SESSION_S
            if reader.is_online or reader.refusal is not None or self._error is not None or is_over:
                return
            await asyncio.sleep(_GLANCE_S)

    async def execute(self, exchange: Exchange, priority: Priority = Priority.POLL) -> Answer:
        """As ``Bus.execute``; an output, a lamp or a buzzer only where it has been permitted."""
        if isinstance(exchange, OsdpCommand) and exchange.code != STATUS:
            key = (exchange.address, exchange.code, exchange.number)
            if exchange.value not in self._permits.get(key, ()):
                raise DriverError(
                    f"The command {exchange.code:02X} with {exchange.value} to place {exchange.number} of device "
                    f"{exchange.address} is not permitted: its profile does not list it."
                )
        return await super().execute(exchange, priority)

    async def _open(self) -> None:
        members = []
        for reader in self._readers.values():
            reader.online_at = self._monotonic()
            key = await asyncio.to_thread(self._key, reader)
            if key is not None:
                members.append(Member(reader.address, key, not reader.is_installing))
        wire = await asyncio.to_thread(open_wire, self._settings)
        wire.tap = self.tap
        self._lost = None
        self._opened_at = self._monotonic()
        self._turn_no += 1
        tell = partial(self._from_thread, asyncio.get_running_loop(), self._turn_no)
        self._panel = Panel(wire, members, tell, self.id, self._silent_s)
        self._panel.start()

    def _key(self, reader: Reader) -> bytes | None:
        reader.refusal = None
        try:
            if reader.key_file is None:
                raise KeyRefused(
                    f"The OSDP device {reader.address} on bus '{self.id}' has no key_file. Name one; with install_mode "
                    f"= true a new reader is given its key."
                )
            return make_key(reader.key_file) if reader.is_installing else read_key(reader.key_file)
        except KeyRefused as error:
            reader.refusal = error.reason
            return None

    async def _close(self) -> None:
        self._turn_no += 1
        panel, self._panel = self._panel, None
        if panel is not None:
            await asyncio.to_thread(panel.stop)
        for reader in self._readers.values():
            if reader.is_online:
                reader.offline_at = reader.heard_at or reader.offline_at
            reader.is_online = reader.is_secure = False
            reader.reports.clear()
        for future in self._pending.values():
            if not future.done():
                future.set_exception(BusDown(self._lost or f"The bus '{self.id}' is closed."))
        self._pending.clear()

    def _check(self) -> None:
        if self._lost is not None:
            raise BusDown(self._lost)

    async def _exchange(self, exchange: Exchange) -> bytes:
        assert self._panel is not None
        if isinstance(exchange, FrameExchange):
            return await self._ask_in_clear(self._panel, exchange)
        assert isinstance(exchange, OsdpCommand)
        reader = self.check_reader(exchange.address, is_trusted=exchange.code != STATUS)
        timeout_s = exchange.timeout_s or self._settings.timeout_s
        if exchange.code == STATUS:
            return await self._ask_report(self._panel, reader, exchange.number, timeout_s)
        await self._order(self._panel, exchange.address, _COMMANDS[exchange.code], dict(exchange.fields), timeout_s)
        return b""

    async def _order(self, panel: Panel, address: int, command: int, fields: dict[str, int], timeout_s: float) -> None:
        done = await self._wait(
            partial(panel.submit, address=address, command={"command": command, **fields}), timeout_s
        )
        if done is None:
            panel.flush(address)
            raise DeviceOffline(f"The device {address} on bus '{self.id}' did not answer in time.")
        if not done.is_done:
            raise DeviceRefused(f"The device {address} on bus '{self.id}' did not take the command.")

    async def _ask_report(self, panel: Panel, reader: Reader, number: int, timeout_s: float) -> bytes:
        """Ask for a report; the library tells it after it has told that the command went well."""
        kind = _REPORTS[number]
        if kind in reader.mute or ((ability := _NEEDS.get(kind)) is not None and ability not in reader.abilities):
            raise DeviceRefused(f"The device {reader.address} on bus '{self.id}' does not report its {kind}.")
        settled_at = reader.online_at + _SETTLE_S
        if self._monotonic() < settled_at and await self._has_reported(reader, kind, settled_at):
            return reader.reports[kind].states  # it tells by itself when it comes up
        reader.reports.pop(kind, None)
        reader.asked = kind
        fields: dict[str, Any] = {"type": number, "report": b""}
        try:
            await self._order(panel, reader.address, _COMMANDS[STATUS], fields, timeout_s)
        except DeviceRefused:
            reader.mute.add(kind)  # the library gives a device up that refuses, so it is not asked again
            raise
        if not await self._has_reported(reader, kind, self._monotonic() + timeout_s):
            raise DeviceOffline(f"The device {reader.address} on bus '{self.id}' did not report its {kind}.")
        return reader.reports[kind].states

    async def _has_reported(self, reader: Reader, kind: str, deadline: float) -> bool:
        """Wait for a report until an instant of the monotonic clock."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                while kind not in reader.reports:
                    reader.reported.clear()
                    await reader.reported.wait()
        return kind in reader.reports

    async def _ask_in_clear(self, panel: Panel, exchange: FrameExchange) -> bytes:
        """Carry out a search's exchange between two turns of the sessions."""
        found: list[bytes | DriverError] = []

        def accept(frame: Frame) -> bool:
            try:
                found.append(exchange.accept(frame))
            except ApplicationError as error:
                found.append(DeviceRefused(error.detail, error.code))
            except DeviceError as error:
                found.append(error)
            except ProtocolError:
                return False
            return True

        timeout_s = exchange.timeout_s or self._settings.timeout_s
        done = await self._wait(
            partial(panel.exchange, request=exchange.request, accept=accept, timeout_s=timeout_s), timeout_s + 1.0
        )
        if done is None or not done.is_done:
            raise DeviceOffline(f"{exchange.party} does not answer.")
        if isinstance(found[-1], DriverError):
            raise found[-1]
        return found[-1]

    async def _wait(self, start: Any, timeout_s: float) -> Done | None:
        number = next(self._numbers)
        self._pending[number] = asyncio.get_running_loop().create_future()
        start(number)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._pending[number]
        except TimeoutError:
            return None
        finally:
            self._pending.pop(number, None)

    def _from_thread(self, loop: asyncio.AbstractEventLoop, turn_no: int, news: News) -> None:
        with suppress(RuntimeError):  # the loop has ended; nobody is left to hear it
            loop.call_soon_threadsafe(self._take, turn_no, news)

    def _take(self, turn_no: int, news: News) -> None:
        """Take note of what the thread tells; in the loop."""
        if turn_no != self._turn_no:
            return
        match news:
            case Lost(reason):
                self._lost = f"The line of bus '{self.id}' ({self._settings.place}) is lost: {reason}. Check the adapter and its cable; it is opened again by itself."
                self._wake.set()
            case Done(number):
                future = self._pending.get(number)
                if future is not None and not future.done():
                    future.set_result(news)
            case State(address):
                self._turn_state(self._readers[address], news)
            case Told(address, event):
                self._told(self._readers[address], event)

    def _turn_state(self, reader: Reader, state: State) -> None:
        if state.is_online != reader.is_online:
            reader.online_at = self._monotonic()
            if not state.is_online:
                reader.offline_at = reader.heard_at or reader.offline_at
            reader.shown.set()  # whoever watches the door looks at once
            log.info("device %d on %s is %s", reader.address, self.id, "online" if state.is_online else "offline")
        reader.is_online, reader.is_secure, reader.heard_at = state.is_online, state.is_secure, state.heard_at
        reader.abilities = state.abilities
        if not state.is_online:
            reader.reports.clear()

    def _told(self, reader: Reader, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == _CARD:
            self._card(reader, event)
        elif kind == _KEYS:
            with suppress(ProtocolError):
                reader.keys = (reader.keys + decode_keys(event["data"]))[-_MOST_KEYS:]
        elif kind == _STATUS:
            self._report(reader, _REPORTS.get(event["type"], "remote"), event["report"])
        elif kind == _NOTE and event["type"] == _CHANNEL_NOTE:
            self._channel(reader, is_open=bool(event["arg0"]), is_default=bool(event["arg1"]))

    def _channel(self, reader: Reader, *, is_open: bool, is_default: bool) -> None:
        was_default, reader.uses_default_key = reader.uses_default_key, is_open and is_default
        # A card may come before the next look at the states does.
        reader.is_secure = is_open
        if reader.uses_default_key:
            log.warning("device %d on %s uses the default key", reader.address, self.id)
        elif is_open and reader.is_installing:
            log.warning(
                "device %d on %s has the key in %s; take install_mode out of the settings",
                reader.address,
                self.id,
                reader.key_file,
            )
        if was_default and not reader.uses_default_key:
            reader.shown.set()

    def _report(self, reader: Reader, kind: str, states: bytes) -> None:
        if kind == reader.asked:
            reader.asked = None
        else:
            reader.volunteers.add(kind)
        reader.reports[kind] = Report(states, self._monotonic())
        reader.reported.set()

    def _card(self, reader: Reader, event: dict[str, Any]) -> None:
        bits = event.get("length", 0)
        if not 0 < bits <= 8 * len(event["data"]):
            log.warning("device %d on %s sent a card of %d bits", reader.address, self.id, bits)
            return
        if not reader.is_trusted:
            log.warning("device %d on %s: a card without a key of its own is not taken", reader.address, self.id)
            return
        number = int.from_bytes(event["data"][: (bits + 7) // 8], "big") >> -bits % 8
        now = self._monotonic()
        # A reader keeps cards while nobody listens, and tells them once it is heard again.
        is_fresh = reader.is_online and now - reader.online_at > _SETTLE_S
        reader.card = RawCard(bits, number, 0.0 if is_fresh else now - reader.offline_at)
        reader.counter = (reader.counter + 1) % _WRAP
        reader.shown.set()

    def _why_offline(self, reader: Reader) -> str:
        where = f"The device {reader.address} on bus '{self.id}'"
        if reader.heard_at is None or self._monotonic() - reader.heard_at > _LATELY_S:
            return f"{where} does not answer. Check its power, the wires A and B, its address and the baud rate."
        if reader.heard_at <= reader.offline_at:
            return f"{where} has fallen silent. Check its power and cable."
        if self._monotonic() - reader.online_at < _HANDSHAKE_S:
            return f"The secure channel with device {reader.address} on bus '{self.id}' is being set up."
        if reader.is_installing:
            return (
                f"{where} answers, but takes neither the key in {reader.key_file} nor the default key to be given it. "
                f"Reset it to its factory settings, as its maker says, within reach of this gateway."
            )
        return (
            f"{where} answers, but there is no secure channel with it: it does not have the key in {reader.key_file}. "
            f"Put its own key there, or reset it and set install_mode = true to give it this one."
        )

    @property
    def _silent_s(self) -> float:
        return max(_SILENT_S, len(self._readers) * _TURN_S)

    def _monotonic(self) -> float:
        return asyncio.get_running_loop().time()

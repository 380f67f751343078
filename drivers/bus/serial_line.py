"""The owner of one serial line: half duplex, one question at a time.

A late answer is this line's danger: it may be taken for the answer to the next question.
So what has come is thrown away before each request, a frame counts only if it fits the
request in every field it has, and after a timeout the same party is not asked again before
its late answer has come or cannot come any more.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from drivers.bus.exchange import (
    Clock,
    Exchange,
    FrameExchange,
    GattExchange,
    ModbusIdentity,
    ModbusRead,
    ModbusWrite,
    OsdpCommand,
    utc_now,
)
from drivers.bus.owner import FIRST_PAUSE_S, Bus
from drivers.bus.patience import Patience
from drivers.bus.rtu import line_exchange, party_of
from drivers.bus.serial_port import SerialPort, open_serial
from drivers.bus.settings import SerialSettings
from drivers.errors import DeviceError, DeviceOffline, DeviceRefused, DriverError
from protocols.errors import ApplicationError, ProtocolError
from protocols.framing import scanner
from protocols.stream import Found, FrameScanner

# Bytes of one frame may pause for this long, so the DL/T 645 sheet says.
_BYTE_GAP_S = 0.5
# Meters pause now and then to write their own memory.
_LEAST_PATIENCE_S = 0.2
_SLICE_S = 0.02
_LONGEST_FRAME = 260
# A line that never falls silent is used all the same; the frames' checks sort it out.
_LONGEST_WAIT_FOR_QUIET_S = 0.5


class _Owed(NamedTuple):
    """An answer that may still come, to a question that was given up, and until when."""

    exchange: FrameExchange
    until: float


@dataclass(slots=True)
class _Listening:
    """What has been heard during one exchange."""

    exchange: FrameExchange
    has_echoed: bool = False
    broken: str = ""
    foreign: str = ""
    noise: int = 0


class SerialBus(Bus):
    """A serial line; carries DL/T 645, CJ/T 188, M-Bus and Modbus RTU."""

    kind = "serial"
    speaks = frozenset({"modbus", "dlt645", "cjt188", "mbus", "iec62056", "p1"})

    def __init__(
        self, settings: SerialSettings, *, clock: Clock = utc_now, first_pause_s: float = FIRST_PAUSE_S
    ) -> None:
        super().__init__(settings.id, clock=clock, first_pause_s=first_pause_s)
        self._settings = settings
        self._guard_s = settings.timeout_s if settings.guard_s is None else settings.guard_s
        self._patience = Patience(settings.timeout_s, _LEAST_PATIENCE_S)
        self._port: SerialPort | None = None
        # Whether the adapter gives back what is sent, as the last exchange has shown.
        self._is_echoing = False
        # Who may still send a late answer.
        self._late: dict[str, _Owed] = {}
        self._overhearing: FrameScanner | None = None

    async def _open(self) -> None:
        self._port = await open_serial(self._settings, self._wake.set, self.tap)

    async def _close(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            port.close()

    def _check(self) -> None:
        self._opened().check()

    async def _exchange(self, exchange: Exchange) -> bytes:
        if isinstance(exchange, ModbusRead | ModbusWrite | ModbusIdentity):
            exchange = line_exchange(exchange, self._settings.byte_s, is_ascii=self._settings.is_ascii)
        if isinstance(exchange, OsdpCommand):
            raise DriverError(f"The bus '{self.id}' keeps no OSDP sessions. Set its kind to osdp.")
        if isinstance(exchange, GattExchange):
            raise DriverError(f"The bus '{self.id}' is no Bluetooth adapter. Set its kind to ble.")
        port = self._opened()
        self._overhearing = None
        await self._await_quiet(port, exchange.idle_s)
        await port.write(exchange.request)
        return await self._listen(port, exchange)

    async def _listen(self, port: SerialPort, exchange: FrameExchange) -> bytes:
        timeout = exchange.timeout_s or self._patience.timeout(exchange.party)
        # The port takes the bytes at once; the wire needs its time for them.
        sent_at = self._now() + len(exchange.request) * self._settings.byte_s
        deadline = sent_at + timeout
        latest = deadline + _LONGEST_FRAME * self._settings.byte_s
        heard = _Listening(exchange)
        frames = scanner(exchange.framing)
        began_at: float | None = None
        while data := await port.read(deadline):
            began_at = began_at or self._now()
            for piece in frames.feed(data):
                if (payload := self._judge(heard, piece)) is not None:
                    self._note_promptness(heard, began_at - sent_at)
                    return payload
            deadline = min(latest, max(deadline, self._now() + _BYTE_GAP_S))
        for piece in frames.flush():
            if (payload := self._judge(heard, piece)) is not None:
                return payload
        self._patience.missed(exchange.party)
        raise self._silence(heard, timeout, sent_at)

    def _judge(self, heard: _Listening, piece: Found) -> bytes | None:
        """Give the payload if a piece of the stream is the answer."""
        if piece.is_noise:
            heard.noise += sum(byte not in b"\x00\xfe\xff" for byte in piece.data)
            return None
        if piece.error is not None:
            heard.broken = str(piece.error)
            return None
        # The answer to a write looks like its echo; whether there are echoes is known from the reads before.
        can_echo = self._is_echoing or not heard.exchange.is_mirrored
        if can_echo and not heard.has_echoed and heard.exchange.request.endswith(piece.data):
            heard.has_echoed = True
            return None
        try:
            payload = heard.exchange.accept(piece.frame)
        except ApplicationError as error:
            raise DeviceRefused(error.detail, error.code) from None
        except ProtocolError as error:
            self._traffic.saw_stale()
            self._forgive(piece.frame)
            heard.foreign = str(error)
            return None
        if not heard.exchange.is_mirrored:
            self._is_echoing = heard.has_echoed
        return payload

    def _note_promptness(self, heard: _Listening, seconds: float) -> None:
        # Where the line gives back what was sent, the first byte heard is no answer's.
        if not heard.has_echoed:
            self._patience.answered(heard.exchange.party, max(0.0, seconds))

    def _silence(self, heard: _Listening, timeout: float, sent_at: float) -> DeviceOffline:
        """Say why there is no answer, and remember that one may still come."""
        exchange = heard.exchange
        # A damaged frame was the answer, so that none is still to come, unless somebody else owed one.
        was_it = heard.broken and not any(owed.until > sent_at for owed in self._late.values())
        if not exchange.is_unique and not was_it:
            # Counted from the time that the settings grant, however short the wait was.
            until = sent_at + max(timeout, self._patience.full_s) + self._guard_s
            self._late[exchange.party] = _Owed(exchange, until)
        if heard.broken:
            return DeviceOffline(f"bad frame: {heard.broken}", is_broken=True)
        if heard.foreign:
            return DeviceOffline(f"no answer within {timeout:g} s; another came: {heard.foreign}")
        if heard.noise:
            return DeviceOffline(f"no answer within {timeout:g} s, only {heard.noise} bytes of noise", is_broken=True)
        return DeviceOffline(f"no answer within {timeout:g} s")

    async def _await_quiet(self, port: SerialPort, idle_s: float) -> None:
        """Throw away what has come and wait until nothing more comes."""
        latest = self._now() + _LONGEST_WAIT_FOR_QUIET_S
        while True:
            quiet_at = min(latest, port.last_byte_at + idle_s)
            if not await port.read(quiet_at) and self._now() >= quiet_at:
                return

    def _hold_s(self, exchange: Exchange) -> float:
        """Leave a party alone that has missed its time; its neighbours are asked meanwhile."""
        party = party_of(exchange)
        owed = self._late.get(party)
        if owed is None:
            return 0.0
        if (hold_s := owed.until - self._now()) <= 0:
            del self._late[party]
        return hold_s

    async def _rest(self, seconds: float) -> None:
        """Listen for the late answers that hold everything up; a new job waits one slice at the most."""
        if self._overhearing is None:
            self._overhearing = scanner(next(iter(self._late.values())).exchange.framing)
        for piece in self._overhearing.feed(await self._opened().read(self._now() + min(seconds, _SLICE_S))):
            if piece.frame is not None:
                self._traffic.saw_stale()
                self._forgive(piece.frame)

    def _forgive(self, frame: Any) -> None:
        """Take a frame for the late answer of whoever owed it."""
        for party, owed in list(self._late.items()):
            try:
                owed.exchange.accept(frame)
            except (ApplicationError, DeviceError):
                pass
            except ProtocolError:
                continue
            del self._late[party]

    def _opened(self) -> SerialPort:
        assert self._port is not None
        return self._port

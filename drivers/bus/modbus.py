"""The owner of one Modbus TCP connection, on the house's own codec.

An answer belongs to a question by its transaction number, which a link uses once in 65,535
questions, by its unit, its function and its length; what fits in less is no answer.
"""

import asyncio
import heapq
import struct
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

from drivers.bus.exchange import Answer, Clock, Exchange, ModbusIdentity, ModbusRead, ModbusWrite, utc_now
from drivers.bus.modbus_link import ModbusLink
from drivers.bus.owner import FIRST_PAUSE_S, Bus, Job
from drivers.bus.patience import Patience
from drivers.bus.refusal import refusal
from drivers.bus.settings import TcpSettings
from drivers.errors import BusDown, DeviceOffline, DriverError
from protocols.errors import ProtocolError
from protocols.modbus import READ_COILS, READ_DISCRETES, encode_read_request, encode_write_request
from protocols.modbus_identity import decode_identity_response, encode_identity_request

# A peer that lost its power says nothing, and TCP waits a quarter of an hour before it notices.
_SILENCES_TO_RECONNECT = 5
_CONNECT_TIMEOUT_S = 5.0
_LEAST_PATIENCE_S = 0.1
_READ = struct.Struct(">BBHH")  # unit, and the PDU of a read
_ECHOED = 5  # bytes of a write that its answer repeats: function, address, and value or count

_Asked = ModbusRead | ModbusWrite | ModbusIdentity


class ModbusTcpBus(Bus):
    """A Modbus TCP device, or a gateway with many units behind it."""

    kind = "modbus-tcp"
    speaks = frozenset({"modbus"})

    def __init__(self, settings: TcpSettings, *, clock: Clock = utc_now, first_pause_s: float = FIRST_PAUSE_S) -> None:
        super().__init__(settings.id, clock=clock, first_pause_s=first_pause_s)
        self._settings = settings
        self._peer = f"{settings.host}:{settings.port}"
        self._patience = Patience(settings.timeout_s, _LEAST_PATIENCE_S)
        self._link: ModbusLink | None = None
        self._silences = 0
        self.window = settings.pipeline

    async def _open(self) -> None:
        self._silences = 0
        loop = asyncio.get_running_loop()
        make = partial(ModbusLink, self._wake.set, self._traffic.saw_stale, self.tap)
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                _, self._link = await loop.create_connection(make, self._settings.host, self._settings.port)
        except (TimeoutError, OSError) as error:
            raise BusDown(_why(self._peer, error)) from None

    async def _close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def _check(self) -> None:
        if self._link is None or self._link.is_lost:
            raise BusDown(self._closed())

    async def _exchange(self, exchange: Exchange) -> bytes:
        if isinstance(exchange, ModbusRead):
            pdu = encode_read_request(exchange.function, exchange.address, exchange.count)
        elif isinstance(exchange, ModbusWrite):
            pdu = encode_write_request(exchange.function, exchange.address, exchange.value, exchange.count)
        elif isinstance(exchange, ModbusIdentity):
            pdu = encode_identity_request(exchange.level, exchange.first_object)
        else:
            raise DriverError(f"The bus '{self.id}' carries Modbus only.")
        return _checked(exchange, pdu, await self._ask(exchange, pdu))

    async def _work(self, job: Job) -> None:
        is_read = isinstance(job.exchange, ModbusRead) and not job.answer.done()
        jobs = [job, *self._companions()] if is_read else [job]
        if len(jobs) == 1:
            await super()._work(job)
            return
        try:
            await self._work_together(jobs)
        except (BusDown, asyncio.CancelledError) as error:
            reason = error if isinstance(error, BusDown) else BusDown(f"The bus '{self.id}' is stopped.")
            for each in jobs:
                if not each.answer.done():
                    each.answer.set_exception(reason)
            raise

    def _companions(self) -> Iterator[Job]:
        """Take the reads that may go out with one; a write goes alone, so that its silence is its own."""
        left = self.window - 1
        while left and self._jobs and isinstance(self._jobs[0].exchange, ModbusRead):
            job = heapq.heappop(self._jobs)
            if not job.answer.done():  # else whoever asked has gone
                left -= 1
                yield job

    async def _work_together(self, jobs: Sequence[Job]) -> None:
        """Carry out several reads at once.

        Behind a gateway the units' answers come one after another, so that a silent one delays
        the rest: only the first silent one is held to be so, what followed it is asked anew.
        """
        link = self._link
        if link is None:
            raise BusDown(self._closed())
        reads = [job.exchange for job in jobs if isinstance(job.exchange, ModbusRead)]
        messages = [_READ.pack(read.device_id, read.function, read.address, read.count) for read in reads]
        # A unit's patience is learnt from the last of its answers, for which it took longest.
        last: dict[int, float] = {}
        asked = {(read.device_id, read.timeout_s) for read in reads}
        timeout = max(own_s or self._patience.timeout(str(unit)) for unit, own_s in asked)
        start = self._now()
        try:
            answers = await link.ask_all(messages, timeout)
        except ConnectionResetError:
            raise BusDown(self._closed()) from None
        end, now = self._now(), self.clock()
        has_silent = False
        told: tuple[float, datetime] = (end, now)
        for job, read, answer in zip(jobs, reads, answers, strict=True):
            if answer is not None:
                last[read.device_id] = round_trip_s = answer.at - start
                if told[0] != answer.at:  # several come in one piece
                    told = (answer.at, now - timedelta(seconds=end - answer.at))
                _settle(job, read, answer.message, (told[1], round_trip_s))
            elif has_silent:
                heapq.heappush(self._jobs, job)
            else:
                has_silent = True
                self._missed(link, read, is_whole_silence=not any(answers))
                self._traffic.failed(start, end)
                if not job.answer.done():
                    job.answer.set_exception(DeviceOffline(f"no answer within {timeout:g} s"))
        for unit, round_trip_s in last.items():
            self._patience.answered(str(unit), round_trip_s)
        self._traffic.answered_together(start, [answer.at for answer in answers if answer is not None])

    def _missed(self, link: ModbusLink, read: _Asked, *, is_whole_silence: bool = True) -> None:
        self._patience.missed(str(read.device_id))
        self._silences = self._silences + 1 if is_whole_silence else 0
        if self._silences >= _SILENCES_TO_RECONNECT:
            link.close()

    async def _ask(self, exchange: _Asked, pdu: bytes) -> bytes:
        link = self._link
        if link is None:
            raise BusDown(self._closed())
        party = str(exchange.device_id)
        timeout = exchange.timeout_s or self._patience.timeout(party)
        asked_at = self._now()
        try:
            answer = await link.ask(bytes((exchange.device_id,)) + pdu, timeout)
        except TimeoutError:
            self._missed(link, exchange)
            raise DeviceOffline(f"no answer within {timeout:g} s") from None
        except ConnectionResetError:
            if link.is_garbled:
                raise _broken("no Modbus TCP message; the connection is opened anew") from None
            raise BusDown(self._closed()) from None
        self._silences = 0
        self._patience.answered(party, self._now() - asked_at)
        return answer

    def _closed(self) -> str:
        if self._silences >= _SILENCES_TO_RECONNECT:
            return f"{self._peer} has not answered {self._silences} requests in a row; it is connected to anew."
        return f"{self._peer} has closed the connection; it is opened again by itself."


def _why(peer: str, error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return f"{peer} refuses the connection. Check the port (502 is usual) and that Modbus TCP is switched on there."
    return f"Nothing answers at {peer}. Check the address, the cable and that the gateway has power."


def _broken(reason: str) -> DeviceOffline:
    return DeviceOffline(f"bad frame: {reason}", is_broken=True)


def _settle(job: Job, read: ModbusRead, message: bytes, came: tuple[datetime, float]) -> None:
    """Give a message to whoever asked, if it answers the question."""
    if job.answer.done():
        return
    try:
        job.answer.set_result(Answer(_checked(read, b"", message), *came))
    except DriverError as error:
        job.answer.set_exception(error)


def _checked(exchange: _Asked, pdu: bytes, answer: bytes) -> bytes:
    """Take the payload of what answers a question's unit, function and length, of nothing else."""
    if answer[0] != exchange.device_id:
        raise _broken(f"unit {answer[0]} answers unit {exchange.device_id}")
    if answer[1] != exchange.function:
        if answer[1] == exchange.function | 0x80 and len(answer) == 3:
            raise refusal(exchange.device_id, answer[2])
        raise _broken(f"function {answer[1]} answers function {exchange.function}")
    if isinstance(exchange, ModbusIdentity):
        try:
            decode_identity_response(answer[1:])
        except ProtocolError as error:
            raise _broken(error.detail) from None
        return answer[1:]
    if isinstance(exchange, ModbusWrite):
        if answer[1:] != pdu[:_ECHOED]:
            raise _broken(f"{answer[1:].hex()} answers the write {pdu.hex()}")
        return answer[2:]
    return _payload(exchange, answer)


def _payload(read: ModbusRead, answer: bytes) -> bytes:
    """Take the bytes of a read's answer, whose first three are unit, function and their count."""
    is_bits = read.function in (READ_COILS, READ_DISCRETES)
    width = (read.count + 7) // 8 if is_bits else 2 * read.count
    if len(answer) != 3 + width or answer[2] != width:
        raise _broken(f"{len(answer) - 3} bytes answer a read of {read.count} {'bits' if is_bits else 'registers'}")
    if not is_bits:
        return answer[3:]
    return bytes(answer[3 + place // 8] >> place % 8 & 1 for place in range(read.count))

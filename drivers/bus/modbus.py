"""The owner of one Modbus TCP connection, on the house's own codec.

An answer belongs to a question by its transaction number, which a link uses once in 65,535
questions, by its unit, its function and its length; what fits in less is no answer.
"""

import asyncio
from functools import partial

from drivers.bus.exchange import Clock, Exchange, ModbusRead, ModbusWrite, utc_now
from drivers.bus.modbus_link import ModbusLink
from drivers.bus.owner import FIRST_PAUSE_S, Bus
from drivers.bus.patience import Patience
from drivers.bus.refusal import refusal
from drivers.bus.settings import TcpSettings
from drivers.errors import BusDown, DeviceOffline, DriverError
from protocols.modbus import READ_COILS, READ_DISCRETES, encode_read_request, encode_write_request

# A peer that lost its power says nothing, and TCP waits a quarter of an hour before it notices.
_SILENCES_TO_RECONNECT = 5
_CONNECT_TIMEOUT_S = 5.0
_LEAST_PATIENCE_S = 0.1


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

    async def _open(self) -> None:
        self._silences = 0
        loop = asyncio.get_running_loop()
        make = partial(ModbusLink, self._wake.set, self._traffic.saw_stale)
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
            pdu = encode_write_request(exchange.function, exchange.address, exchange.value)
        else:
            raise DriverError(f"The bus '{self.id}' carries Modbus only.")
        answer = await self._ask(exchange, pdu)
        if answer[0] != exchange.device_id:
            raise _broken(f"unit {answer[0]} answers unit {exchange.device_id}")
        if answer[1] != exchange.function:
            if answer[1] == exchange.function | 0x80 and len(answer) == 3:
                raise refusal(exchange.device_id, answer[2])
            raise _broken(f"function {answer[1]} answers function {exchange.function}")
        if isinstance(exchange, ModbusWrite):
            if answer[1:] != pdu:
                raise _broken(f"{answer[1:].hex()} answers the write {pdu.hex()}")
            return pdu[1:]
        return _payload(exchange, answer)

    async def _ask(self, exchange: ModbusRead | ModbusWrite, pdu: bytes) -> bytes:
        link = self._link
        if link is None:
            raise BusDown(self._closed())
        party = str(exchange.device_id)
        timeout = exchange.timeout_s or self._patience.timeout(party)
        asked_at = self._now()
        try:
            answer = await link.ask(bytes((exchange.device_id,)) + pdu, timeout)
        except TimeoutError:
            self._patience.missed(party)
            self._silences += 1
            if self._silences >= _SILENCES_TO_RECONNECT:
                link.close()
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


def _payload(read: ModbusRead, answer: bytes) -> bytes:
    """Take the bytes of a read's answer, whose first three are unit, function and their count."""
    is_bits = read.function in (READ_COILS, READ_DISCRETES)
    width = (read.count + 7) // 8 if is_bits else 2 * read.count
    if len(answer) != 3 + width or answer[2] != width:
        raise _broken(f"{len(answer) - 3} bytes answer a read of {read.count} {'bits' if is_bits else 'registers'}")
    if not is_bits:
        return answer[3:]
    return bytes(answer[3 + place // 8] >> place % 8 & 1 for place in range(read.count))

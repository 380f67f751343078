"""The owner of one Modbus TCP connection; the only module that knows pymodbus.

pymodbus pairs answers with requests by their transaction number and drops a late one. What it
does not check is checked here: a transaction number of zero, the length of the answer. Each
wait has our own timeout, so that its own counting of unanswered requests, which would cut off
live units because of a dead one, never begins.
"""

import asyncio
import logging
from collections.abc import Awaitable

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.pdu import ModbusPDU

from drivers.bus.exchange import Clock, Exchange, ModbusRead, ModbusWrite, utc_now
from drivers.bus.owner import FIRST_PAUSE_S, Bus
from drivers.bus.refusal import refusal
from drivers.bus.settings import TcpSettings
from drivers.errors import BusDown, DeviceOffline, DriverError
from protocols.modbus import READ_COILS, READ_DISCRETES, WRITE_COIL, encode_write_request

# A peer that lost its power says nothing, and TCP waits a quarter of an hour before it notices.
_SILENCES_TO_RECONNECT = 5
_CONNECT_TIMEOUT_S = 5.0
# Longer than any of our own.
_NEVER_S = 3600.0

# It logs every timeout as an error; ours go to whoever asked.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)


class ModbusTcpBus(Bus):
    """A Modbus TCP device, or a gateway with many units behind it."""

    kind = "modbus-tcp"
    speaks = frozenset({"modbus"})

    def __init__(self, settings: TcpSettings, *, clock: Clock = utc_now, first_pause_s: float = FIRST_PAUSE_S) -> None:
        super().__init__(settings.id, clock=clock, first_pause_s=first_pause_s)
        self._settings = settings
        self._peer = f"{settings.host}:{settings.port}"
        self._client: AsyncModbusTcpClient | None = None
        self._is_lost = False
        self._silences = 0

    async def _open(self) -> None:
        self._silences = 0
        self._is_lost = False
        client = AsyncModbusTcpClient(
            self._settings.host,
            port=self._settings.port,
            timeout=_NEVER_S,
            retries=0,
            reconnect_delay=0,
            trace_connect=self._on_link,
        )
        self._client = client
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                is_open = await client.connect()
        except (TimeoutError, OSError):
            is_open = False
        if not is_open:
            raise BusDown(
                f"Nothing answers at {self._peer}. Check the address, the cable and that the gateway has power."
            )

    async def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _check(self) -> None:
        if self._is_lost:
            raise BusDown(self._closed())

    def _on_link(self, is_up: bool) -> None:
        if not is_up:
            self._lose()

    def _lose(self) -> None:
        self._is_lost = True
        self._wake.set()

    async def _exchange(self, exchange: Exchange) -> bytes:
        if not isinstance(exchange, ModbusRead | ModbusWrite):
            raise DriverError(f"The bus '{self.id}' carries Modbus only.")
        try:
            answer = await self._ask(exchange)
        except DeviceOffline:
            self._silences += 1
            if self._silences >= _SILENCES_TO_RECONNECT:
                self._lose()
            raise
        self._silences = 0
        return _echo(exchange, answer) if isinstance(exchange, ModbusWrite) else _payload(exchange, answer)

    async def _ask(self, exchange: ModbusRead | ModbusWrite) -> ModbusPDU:
        client = self._client
        if client is None or self._is_lost:
            raise BusDown(self._closed())
        timeout = exchange.timeout_s or self._settings.timeout_s
        try:
            async with asyncio.timeout(timeout):
                answer = await _call(client, exchange)
        except TimeoutError:
            if self._is_lost:
                raise BusDown(self._closed()) from None
            raise DeviceOffline(f"no answer within {timeout:g} s") from None
        except ConnectionException:
            raise BusDown(self._closed()) from None
        except ModbusException as error:
            raise DeviceOffline(f"bad frame: {error}", is_broken=True) from None
        finally:
            _pass_on_cancellation()
        return answer

    def _closed(self) -> str:
        if self._silences >= _SILENCES_TO_RECONNECT:
            return f"{self._peer} has not answered {self._silences} requests in a row; it is connected to anew."
        return f"{self._peer} has closed the connection; it is opened again by itself."


def _call(client: AsyncModbusTcpClient, exchange: ModbusRead | ModbusWrite) -> Awaitable[ModbusPDU]:
    """Choose the client's method for an exchange."""
    if isinstance(exchange, ModbusWrite):
        if exchange.function == WRITE_COIL:
            return client.write_coil(exchange.address, bool(exchange.value), device_id=exchange.device_id)
        return client.write_register(exchange.address, exchange.value, device_id=exchange.device_id)
    read = {
        1: client.read_coils,
        2: client.read_discrete_inputs,
        3: client.read_holding_registers,
        4: client.read_input_registers,
    }[exchange.function]
    return read(exchange.address, count=exchange.count, device_id=exchange.device_id)


def _pass_on_cancellation() -> None:
    """Raise the cancellation that the client swallows when an answer comes in the same moment.

    It waits by ``asyncio.wait_for``, which before Python 3.12 then gives the answer instead; the
    bus would go on for ever, and a gateway that was told to stop would not.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _check(exchange: ModbusRead | ModbusWrite, answer: ModbusPDU) -> None:
    if answer.isError():
        raise refusal(exchange.device_id, answer.exception_code)
    if answer.dev_id != exchange.device_id or answer.function_code != exchange.function or not answer.transaction_id:
        raise DeviceOffline("bad frame: an answer to something else", is_broken=True)


def _echo(write: ModbusWrite, answer: ModbusPDU) -> bytes:
    """Make sure that the device tells of the very write it was asked for."""
    _check(write, answer)
    value = int(answer.bits[0]) if write.function == WRITE_COIL else answer.registers[0]
    if (answer.address, value) != (write.address, write.value):
        raise DeviceOffline(
            f"bad frame: a write of {value} to {answer.address} answers one of {write.value} to {write.address}",
            is_broken=True,
        )
    return encode_write_request(write.function, write.address, write.value)[1:]


def _payload(read: ModbusRead, answer: ModbusPDU) -> bytes:
    """Check an answer against its question and give its bytes."""
    _check(read, answer)
    if read.function in (READ_COILS, READ_DISCRETES):
        # Bits come in whole bytes.
        if len(answer.bits) != (read.count + 7) // 8 * 8:
            raise DeviceOffline(f"bad frame: {len(answer.bits)} bits answer a read of {read.count}", is_broken=True)
        return bytes(answer.bits[: read.count])
    if len(answer.registers) != read.count:
        reason = f"bad frame: {len(answer.registers)} registers answer a read of {read.count}"
        raise DeviceOffline(reason, is_broken=True)
    return b"".join(word.to_bytes(2, "big") for word in answer.registers)

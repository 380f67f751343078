"""A line's bytes that never block, read and written through the event loop.

A port is a device file, opened by pyserial, or ``tcp://host:port`` of a converter that passes bytes on.
"""

import asyncio
import errno
import os
import socket
import termios
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import serial

from drivers.bus.settings import SerialSettings
from drivers.bus.tap import Tap
from drivers.errors import BusDown

_READ_BYTES = 4096
# Nobody waits for older bytes than these.
_KEEP_BYTES = 8192
_CONNECT_TIMEOUT_S = 5.0


class _Device(Protocol):
    def fileno(self) -> int: ...

    def close(self) -> None: ...


class SerialPort:
    """An open port; calls ``on_lost`` once when it goes.

    Units: ``last_byte_at`` is when a byte last went or came, by the loop's clock.
    """

    def __init__(self, device: _Device, name: str, on_lost: Callable[[], None], tap: Tap) -> None:
        self._device = device
        self._tap = tap
        self._on_lost = on_lost
        self._is_lost = False
        self._fd: int = device.fileno()
        self._name = name
        self._buffer = bytearray()
        self._arrived = asyncio.Event()
        self.last_byte_at = 0.0
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._on_readable)

    async def write(self, data: bytes) -> None:
        """Hand all bytes to the port.

        Raises: BusDown when it is gone.
        """
        if self._tap.hear is not None:
            self._tap.hear(data, True)
        while data:
            self.check()
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                await self._writable()
            except OSError as error:
                self._lose()
                raise BusDown(self._gone(error)) from None
        self.last_byte_at = self._loop.time()

    async def read(self, deadline: float) -> bytes:
        """Give what has come, waiting for it until an instant of the loop's clock; nothing if none came.

        Raises: BusDown when the port is gone.
        """
        if not self._buffer:
            self.check()
            self._arrived.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._arrived.wait()
            except TimeoutError:
                return b""
            self.check()
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def drop(self) -> None:
        """Throw away what has come."""
        self._buffer.clear()

    def check(self) -> None:
        """Raise BusDown if the port is gone and nothing is left to read."""
        if self._is_lost and not self._buffer:
            raise BusDown(self._gone(None))

    def close(self) -> None:
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        with suppress(OSError):
            self._device.close()

    def _on_readable(self) -> None:
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            # Ready to read and nothing there is how a tty says that its other end is gone.
            self._lose()
            return
        if self._tap.hear is not None:
            self._tap.hear(data, False)
        self._buffer += data
        del self._buffer[:-_KEEP_BYTES]
        self.last_byte_at = self._loop.time()
        self._arrived.set()

    def _lose(self) -> None:
        self._loop.remove_reader(self._fd)
        self._is_lost = True
        self._arrived.set()
        self._on_lost()

    async def _writable(self) -> None:
        ready = asyncio.Event()
        self._loop.add_writer(self._fd, ready.set)
        try:
            await ready.wait()
        finally:
            self._loop.remove_writer(self._fd)

    def _gone(self, error: OSError | None) -> str:
        reason = f" ({error.strerror})" if error and error.strerror else ""
        if is_tcp(self._name):
            return f"The converter at {self._name} has closed the connection{reason}; it is opened again by itself."
        return (
            f"The serial port {self._name} has gone{reason}. Check its cable and adapter; it is opened again by itself."
        )


async def open_serial(settings: SerialSettings, on_lost: Callable[[], None], tap: Tap | None = None) -> SerialPort:
    """Open a port for this process alone; ``tap`` hears its bytes.

    Raises: BusDown with the reason and its remedy.
    """
    device: _Device
    tap = tap or Tap()
    if is_tcp(settings.port):
        return SerialPort(await asyncio.to_thread(_connect, settings.port), settings.port, on_lost, tap)
    try:
        device = await asyncio.to_thread(_open, settings)
    except (serial.SerialException, OSError, termios.error, ValueError) as error:
        raise BusDown(_why(settings.port, error)) from None
    return SerialPort(device, settings.port, on_lost, tap)


def open_device(settings: SerialSettings) -> serial.Serial:
    """Open a port for a thread that reads and writes it itself.

    Raises: BusDown with the reason and its remedy.
    """
    try:
        return _open(settings)
    except (serial.SerialException, OSError, termios.error, ValueError) as error:
        raise BusDown(_why(settings.port, error)) from None


def is_tcp(port: str) -> bool:
    """Tell whether a port is a converter's address."""
    return port.startswith("tcp://")


def _connect(port: str) -> socket.socket:
    """Connect to a converter; every request is to leave at once."""
    host, _, number = port.removeprefix("tcp://").rpartition(":")
    try:
        device = socket.create_connection((host.strip("[]"), int(number)), _CONNECT_TIMEOUT_S)
    except ConnectionRefusedError:
        raise BusDown(
            f"{port} refuses the connection. Check the port and that the converter is in raw TCP mode."
        ) from None
    except OSError:
        raise BusDown(
            f"Nothing answers at {port}. Check the address, the cable and that the converter has power."
        ) from None
    device.setblocking(False)
    device.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # A converter that lost its power says nothing: let the kernel find out within a minute.
    device.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 20), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3)):
        device.setsockopt(socket.IPPROTO_TCP, option, value)
    return device


def _open(settings: SerialSettings) -> serial.Serial:
    # A pseudo-terminal has no wire, so no parity; its driver refuses to be set to any.
    is_pty = str(Path(settings.port).resolve()).startswith("/dev/pts/")
    return serial.Serial(
        settings.port,
        baudrate=settings.baudrate,
        bytesize=8 if is_pty else settings.bytesize,
        parity="N" if is_pty else settings.parity,
        stopbits=1 if is_pty else settings.stopbits,
        timeout=0,
        exclusive=True,
    )


def _why(port: str, error: Exception) -> str:
    code = getattr(error, "errno", None)
    if code == errno.ENOENT:
        return f"There is no serial port {port}. Plug the adapter in, or name it as in /dev/serial/by-id/."
    if code in (errno.EACCES, errno.EPERM):
        return f"This user may not open the serial port {port}. Add the user to the group 'dialout' and sign in again."
    if code in (errno.EAGAIN, errno.EBUSY):
        return f"The serial port {port} is in use by another program. Stop it, or give this bus another port."
    if code in (errno.ENOTTY, errno.EISDIR) or isinstance(error, termios.error) or "configure port" in str(error):
        return f"{port} is not a serial port that can be set as asked ({error}). Check the path, the baud rate and the parity."
    return f"The serial port {port} cannot be opened: {error}. Check the adapter."

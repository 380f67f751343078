"""The bytes under libosdp: a serial port or a TCP socket, read and written from the library's thread.

Nothing here may raise into the library: what goes wrong is kept as ``lost`` and told by its owner.
"""

import os
import select
import socket
import termios
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress

import serial

from drivers.bus.serial_port import open_device
from drivers.bus.settings import OsdpSettings, SerialSettings
from drivers.bus.tap import Tap
from drivers.errors import BusDown
from protocols.framing import scanner
from protocols.osdp.frame import MARK, Frame

_CONNECT_S = 3.0
_BUSY_S = 0.3  # a device answers within 0.2 s


class Wire(ABC):
    """One open line; also the channel object that libosdp calls.

    Shape: ``heard`` tells when, by the monotonic clock, each address last answered with a whole
    frame. To an address in ``muted`` the library sends nothing and is told so at once: else it
    would finish a command to a dead device for seconds before it lets go of it.
    """

    id = 0  # one line, however many devices: libosdp then asks them in turn

    def __init__(self) -> None:
        self.lost: str | None = None
        self.heard: dict[int, float] = {}
        self.muted: set[int] = set()
        self.tap = Tap()
        self._scanner = scanner("osdp")
        self._asked_at: float | None = None
        self._echo = self._held = b""

    def read(self, most: int) -> bytes:
        """Give what has come. For libosdp."""
        try:
            data = self._receive(most)
        except OSError as error:
            self._lose(error)
            return b""
        if data and (hear := self.tap.hear) is not None:
            hear(data, False)
        data = self._without_echo(data)
        if data:
            self._listen(data)
        return data

    def _without_echo(self, data: bytes) -> bytes:
        """Take out what a two-wire adapter gives back of our own; it comes first or not at all."""
        if not self._echo or not data:
            return data
        data, self._held = self._held + data, b""
        if data.startswith(self._echo):
            data, self._echo = data[len(self._echo) :], b""
        elif self._echo.startswith(data):
            data, self._held = b"", data
        else:
            self._echo = b""
        return data

    def write(self, data: bytes) -> int:
        """Send a frame. For libosdp."""
        data = bytes(data)
        if data.lstrip(MARK)[1] & 0x7F in self.muted:
            return 0
        return self._put(data)

    def _put(self, data: bytes) -> int:
        self._asked_at = time.monotonic()
        try:
            sent = self._send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._lose(error)
            return len(data)  # as on a wire that was cut
        if (hear := self.tap.hear) is not None:
            hear(data[:sent], True)
        self._echo, self._held = data[:sent], b""
        return sent

    def flush(self) -> None:
        """Forget what came late. For libosdp."""
        with suppress(OSError, termios.error):
            while self._receive(4096):
                pass

    @property
    def is_free(self) -> bool:
        """Whether nobody owes an answer."""
        return self._asked_at is None or time.monotonic() - self._asked_at > _BUSY_S

    def exchange(self, request: bytes, accept: Callable[[Frame], bool], timeout_s: float) -> Frame | None:
        """Ask once, beside libosdp's sessions, and give the frame that answers; None if none came."""
        self.flush()
        line = scanner("osdp")
        self._put(request)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and self.lost is None:
            data = self.read(4096)
            for piece in line.feed(data):
                if isinstance(piece.frame, Frame) and accept(piece.frame):
                    return piece.frame
            if not data:
                time.sleep(0.002)
        return None

    def _listen(self, data: bytes) -> None:
        for piece in self._scanner.feed(data):
            if isinstance(piece.frame, Frame) and piece.frame.is_reply:
                self.heard[piece.frame.address] = time.monotonic()
                self._asked_at = None

    def _lose(self, error: Exception) -> None:
        if self.lost is None:
            reason = getattr(error, "strerror", None) or str(error)
            self.lost = reason or "it is closed"

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def _receive(self, most: int) -> bytes: ...

    @abstractmethod
    def _send(self, data: bytes) -> int: ...


class SerialWire(Wire):
    def __init__(self, device: serial.Serial) -> None:
        super().__init__()
        self._device = device
        self._fd: int = device.fileno()
        self._gone = select.poll()
        self._gone.register(self._fd, select.POLLHUP | select.POLLERR | select.POLLNVAL)

    def close(self) -> None:
        with suppress(OSError):
            self._device.close()

    def _receive(self, most: int) -> bytes:
        try:
            data = os.read(self._fd, most)
        except BlockingIOError:
            return b""
        # Nothing there is also what a tty says whose other end is gone.
        if not data and self._gone.poll(0):
            raise OSError(None, "its other end is gone")
        return data

    def _send(self, data: bytes) -> int:
        return os.write(self._fd, data)


class TcpWire(Wire):
    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self._socket = sock

    def close(self) -> None:
        self._socket.close()

    def _receive(self, most: int) -> bytes:
        try:
            data = self._socket.recv(most)
        except (BlockingIOError, InterruptedError):
            return b""
        if not data:
            raise ConnectionResetError(None, "the other end has closed the connection")
        return data

    def _send(self, data: bytes) -> int:
        return self._socket.send(data)


def open_wire(settings: OsdpSettings) -> Wire:
    """Open a line, blocking.

    Raises: BusDown with the reason and its remedy.
    """
    if settings.host:
        try:
            sock = socket.create_connection((settings.host, settings.tcp_port), timeout=_CONNECT_S)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setblocking(False)
        except OSError as error:
            raise BusDown(
                f"The OSDP converter {settings.place} cannot be reached: {error.strerror or error}. Check its power, its "
                f"address and the network."
            ) from None
        return TcpWire(sock)
    return SerialWire(open_device(SerialSettings(settings.id, settings.port, settings.baudrate, parity="N")))

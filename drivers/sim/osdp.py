"""A line of simulated OSDP doors on a pseudo-terminal: libosdp's own devices, in a thread of their own."""

import os
import queue
import threading
import time
import tty
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Self

from drivers.bus.osdp_device import DeviceModel, OsdpDevice

_TURN_S = 0.005
_STOP_S = 3.0


class SimulatedOsdpDoor:
    """One door: its contacts and what it was told to do.

    Shape: ``pulses`` (output, tenths), ``colours`` of the lamp and ``tones`` (how often) in the order
    they came; ``has_new_key`` once it was given a key; ``is_silent`` takes its power away, and
    ``is_reserved`` keeps it from telling its states by itself, ``refuses_key`` from taking a key (``keys_refused`` counts);
    ``questions`` counts how often it was asked for a report.
    """

    def __init__(self, model: DeviceModel) -> None:
        self.model = model
        self.is_silent = False
        self.is_reserved = False
        self.refuses_key = False
        self.is_tampered = False
        self.has_power_failed = False
        self.contacts = bytearray(model.contacts)
        self.pulses: list[tuple[int, int]] = []
        self.colours: list[int] = []
        self.tones: list[int] = []
        self.has_new_key = False
        self.keys_refused = 0
        self.questions = 0
        self.is_secure = False
        self.released_until = 0.0

    def note(self, command: Mapping[str, Any]) -> bool:
        """Do what a command says; False where it does not."""
        match command["command"]:
            case 1:
                self.pulses.append((command["output_no"], command["timer_count"]))
                self.released_until = time.monotonic() + command["timer_count"] / 10
            case 2:
                self.colours.append(command["on_color"])
            case 3:
                self.tones.append(command["rep_count"])
            case 5:
                self.has_new_key = not self.refuses_key
                self.keys_refused += self.refuses_key
                return self.has_new_key
            case 9:
                self.questions += 1
        return True

    @property
    def reports(self) -> dict[str, bytes]:
        """What the door has to tell of itself."""
        output = bytes([time.monotonic() < self.released_until]) if self.model.outputs else b""
        local = bytes([self.is_tampered, self.has_power_failed])
        return {"local": local, "contacts": bytes(self.contacts), "outputs": output.ljust(self.model.outputs, b"\0")}


class SimulatedOsdpLine:
    """A multi-drop line; ``with`` opens it, ``path`` is the port of whoever controls it.

    Shape: with ``echo`` the controller's adapter gives back what it sends.
    """

    def __init__(self, models: Sequence[DeviceModel], *, echo: bool = False) -> None:
        self._echo = echo
        self.doors = {model.address: SimulatedOsdpDoor(model) for model in models}
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="osdp devices", daemon=True)
        self._devices: dict[int, OsdpDevice] = {}
        self._fd = -1
        self._far_fd = -1
        self.path = ""

    def __enter__(self) -> Self:
        self._fd, self._far_fd = os.openpty()
        tty.setraw(self._far_fd)  # kept open, so that a controller may come and go
        os.set_blocking(self._fd, False)
        self.path = os.ttyname(self._far_fd)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(_STOP_S)
        os.close(self._fd)
        os.close(self._far_fd)

    def show_card(self, address: int, bits: int, number: int) -> None:
        """Hold a card to a reader."""
        self._orders.put(lambda: self._devices[address].show_card(bits, number))

    def press(self, address: int, keys: bytes) -> None:
        """Type on a reader's keypad, in the keypad's own codes."""
        self._orders.put(lambda: self._devices[address].press(keys))

    def _run(self) -> None:
        for address, door in self.doors.items():
            self._devices[address] = OsdpDevice(door.model, self._sender(door), door.note)
        told: dict[int, dict[str, bytes]] = {}
        while not self._stop.is_set():
            self._receive()
            while not self._orders.empty():
                self._orders.get()()
            for address, device in self._devices.items():
                self._turn(self.doors[address], device, told)
            self._stop.wait(_TURN_S)
        self._devices.clear()

    def _turn(self, door: SimulatedOsdpDoor, device: OsdpDevice, told: dict[int, dict[str, bytes]]) -> None:
        if door.is_silent:
            return
        device.turn()
        was_secure, door.is_secure = door.is_secure, device.is_secure
        if not door.is_secure or door.is_reserved:
            return
        known = told.get(door.model.address, {}) if was_secure else {}
        now = door.reports
        device.report(**{kind: states for kind, states in now.items() if known.get(kind) != states})
        told[door.model.address] = now

    def _receive(self) -> None:
        with suppress(BlockingIOError, OSError):
            data = os.read(self._fd, 4096)
            if self._echo:
                os.write(self._fd, data)
            for address, device in self._devices.items():
                if not self.doors[address].is_silent:
                    device.hear(data)

    def _sender(self, door: SimulatedOsdpDoor) -> Callable[[bytes], None]:
        def send(data: bytes) -> None:
            if not door.is_silent:
                with suppress(OSError):
                    os.write(self._fd, data)

        return send

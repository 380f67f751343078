"""The other end of an OSDP line: libosdp's own device, for the simulator and for tests.

Nothing in it is ours but the bytes' way in and out, so that what speaks to it speaks the standard.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import osdp_sys  # type: ignore[import-not-found,unused-ignore]

# Contacts, outputs, cards, lamps, buzzer, CRC, secure channel, readers; (function, compliance) -> count
_ABILITIES = ((3, 1, 1), (8, 1, 1), (9, 1, 1), (13, 1, 1))
_CONTACTS, _OUTPUTS, _LAMPS, _BUZZER = 1, 2, 4, 5


@dataclass(frozen=True, slots=True)
class DeviceModel:
    """What a device has; without ``key`` it waits for the default one, to be given its own."""

    address: int
    key: bytes | None
    contacts: int = 2
    outputs: int = 1
    has_lamp: bool = True
    has_buzzer: bool = True


class _Port:
    """The channel object that libosdp calls."""

    id = 0

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self.arrived = bytearray()
        self._send = send

    def read(self, most: int) -> bytes:
        data = bytes(self.arrived[:most])
        del self.arrived[:most]
        return data

    def write(self, data: bytes) -> int:
        self._send(bytes(data))
        return len(data)

    def flush(self) -> None:
        self.arrived.clear()


class OsdpDevice:
    """One device; all its methods belong to one thread.

    Shape: ``on_command`` is called with each command as the library tells it; False refuses it.
    """

    def __init__(
        self, model: DeviceModel, send: Callable[[bytes], None], on_command: Callable[[Mapping[str, Any]], bool]
    ) -> None:
        osdp_sys.set_loglevel(osdp_sys.LOG_EMERG)
        self.model = model
        self._port = _Port(send)
        self._on_command = on_command
        identity = {"version": 1, "model": 1, "vendor_code": 0x4C4148, "serial_number": 1, "firmware_version": 0x010000}
        told = {"name": "device", "address": model.address, "flags": 0, "scbk": model.key, "channel": self._port}
        self._device = osdp_sys.PeripheralDevice(told | identity, capabilities=_abilities(model))
        self._device.set_command_callback(self._command)

    @property
    def is_secure(self) -> bool:
        return bool(self._device.is_sc_active())

    def hear(self, data: bytes) -> None:
        self._port.arrived += data

    def turn(self) -> None:
        """Let the library work; every 50 ms at least."""
        self._device.refresh()

    def show_card(self, bits: int, number: int) -> None:
        """Have a card read; ``number`` is its bits, the first one highest."""
        data = (number << -bits % 8).to_bytes((bits + 7) // 8, "big")
        event = {"event": osdp_sys.EVENT_CARDREAD, "reader_no": 0, "format": osdp_sys.CARD_FMT_RAW_WIEGAND}
        self._device.submit_event({**event, "direction": 0, "length": bits, "data": data})

    def press(self, keys: bytes) -> None:
        self._device.submit_event({"event": osdp_sys.EVENT_KEYPRESS, "reader_no": 0, "data": keys})

    def report(self, *, local: bytes = b"", contacts: bytes = b"", outputs: bytes = b"") -> None:
        """Tell states, one byte each, as a device does when they change."""
        kinds = (osdp_sys.STATUS_REPORT_LOCAL, osdp_sys.STATUS_REPORT_INPUT, osdp_sys.STATUS_REPORT_OUTPUT)
        for kind, states in zip(kinds, (local, contacts, outputs), strict=True):
            if states:
                self._device.submit_event({"event": osdp_sys.EVENT_STATUS, "type": kind, "report": states})

    def _command(self, command: dict[str, Any]) -> tuple[int, None]:
        return (0 if self._on_command(command) else -1), None


def _abilities(model: DeviceModel) -> list[dict[str, int]]:
    told = [
        *_ABILITIES,
        (_CONTACTS, 1, model.contacts),
        (_OUTPUTS, 1, model.outputs),
        (_LAMPS, int(model.has_lamp), int(model.has_lamp)),
        (_BUZZER, int(model.has_buzzer), int(model.has_buzzer)),
    ]
    return [
        {"function_code": function, "compliance_level": level, "num_items": count} for function, level, count in told
    ]

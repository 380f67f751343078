"""What every explained frame is made of: its header, its values, its refusal."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from protocols.errors import ProtocolError
from protocols.quantity import Quality, Quantity

Json = dict[str, Any]
Explained = tuple[Json, list[Json]]


@dataclass(frozen=True, slots=True)
class Keys:
    """What an engineer knows beside the bytes: a device's key, its Bluetooth address, the service's UUID."""

    key: bytes | None = None
    mac: bytes | None = None
    uuid: str | None = None


# Explains one whole frame; ``asked`` is the last explained frame if that was a question, else None.
Explain = Callable[[Any, Any, Keys], Explained]


class Refused(Exception):
    """A frame whose envelope is right and whose content is none; the header is worth showing."""

    def __init__(self, header: Json, error: ProtocolError) -> None:
        super().__init__(error.detail)
        self.header = header
        self.error = error


def told_value(name: str, quantity: Quantity, raw: bytes, *, text: str | None = None, **more: Any) -> Json:
    """Tell one value; ``more`` that is None is left out, raw bytes stand beside what is not good."""
    value = text if quantity.value is None else format(quantity.value, "f")
    told: Json = {"name": name, "value": value, "unit": quantity.unit, "quality": quantity.quality.word}
    told |= {key: item for key, item in more.items() if item is not None}
    return told if quantity.quality is Quality.GOOD else {**told, "raw": raw.hex()}

"""What a BTHome frame says."""

from dataclasses import dataclass
from decimal import Decimal

from protocols.errors import ProtocolError
from protocols.quantity import Quality, Quantity


@dataclass(frozen=True, slots=True)
class Measurement:
    """One value of a frame.

    Shape: ``number`` counts the values of one name in a frame from 1, ``is_one_of_many`` where there are several;
    ``text`` is a state's word, a text, the hex of raw bytes or a timestamp in ISO 8601, else None.
    Units: as sent, see ``protocols.quantity.canonical``.
    """

    name: str
    value: Decimal | None
    unit: str
    object_id: int
    raw: bytes
    quality: Quality = Quality.GOOD
    text: str | None = None
    number: int = 1
    is_one_of_many: bool = False

    @property
    def label(self) -> str:
        return _label(self)

    @property
    def quantity(self) -> Quantity:
        return Quantity(self.value, self.unit, self.quality)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at the device.

    Shape: ``action`` is None for a code nobody has named, "none" where only other buttons were pressed;
    ``steps`` of a dimmer, ``arguments`` of a command; ``number`` and ``is_one_of_many`` as of a measurement.
    """

    name: str
    action: str | None
    object_id: int
    raw: bytes
    steps: int | None = None
    arguments: bytes = b""
    number: int = 1
    is_one_of_many: bool = False

    @property
    def label(self) -> str:
        return _label(self)


@dataclass(frozen=True, slots=True)
class Content:
    """The objects of a frame in clear; ``partial`` says what could not be told, None for a whole one."""

    values: tuple[Measurement, ...] = ()
    events: tuple[Event, ...] = ()
    packet_id: int | None = None
    device_type: int | None = None
    firmware: str | None = None
    partial: ProtocolError | None = None


@dataclass(frozen=True, slots=True)
class BthomeFrame:
    """One decoded frame.

    Shape: ``is_trigger`` where the device sends only when something happens; ``mac`` as the device writes it
    into its frame, None where it does not; ``counter`` and ``mic`` of an encrypted frame.
    """

    version: int
    is_encrypted: bool
    is_trigger: bool
    content: Content
    mac: bytes | None = None
    counter: int | None = None
    mic: bytes = b""

    @property
    def values(self) -> tuple[Measurement, ...]:
        return self.content.values

    @property
    def events(self) -> tuple[Event, ...]:
        return self.content.events

    @property
    def packet_id(self) -> int | None:
        return self.content.packet_id

    @property
    def partial(self) -> ProtocolError | None:
        return self.content.partial


def _label(item: Measurement | Event) -> str:
    return f"{item.name}_{item.number}" if item.is_one_of_many else item.name

"""Profiles of locks that are read and opened over GATT.

[lock]       service, state_s how long a state is told again, tells the characteristic that tells changes
[open]       nonce, command, code, mac; the command's characteristic is the only one that is ever written
[[point]]    characteristic, byte, size, scale; service where it is another than the lock's
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field

from drivers.bus.exchange import GattPlace
from drivers.profile.ble import never_written, of_kind
from drivers.profile.file import Exact, Head, PointTable, Table
from protocols.toml import Document, Fault

_BASE_UUID = "-0000-1000-8000-00805f9b34fb"
_HEX = frozenset("0123456789abcdef")


def _uuid(text: str) -> str:
    """Write a UUID of four hex digits, or a whole one, in full and in small letters."""
    small = text.lower()
    if len(small) == 4 and set(small) <= _HEX:
        return f"0000{small}{_BASE_UUID}"
    parts = small.split("-")
    if [len(part) for part in parts] == [8, 4, 4, 4, 12] and set("".join(parts)) <= _HEX:
        return small
    raise ValueError(f'\'{text}\' is not a UUID, as "180f" or "8a1f0001-37c2-4f6b-9d10-6e5b1c0a7d42"')


Uuid = Annotated[str, AfterValidator(_uuid)]


class LockSource(NamedTuple):
    """Where a point stands: ``size`` bytes from ``start`` in a characteristic, low byte first, times ``scale``."""

    place: GattPlace
    start: int
    size: int
    scale: Decimal


@dataclass(frozen=True, slots=True)
class LockOrder:
    """How a lock is told to open: its nonce is read, and answered with ``code``, duration and a proof by ``mac``."""

    nonce: GattPlace
    nonce_bytes: int
    command: GattPlace
    code: int
    mac: str


@dataclass(frozen=True, slots=True)
class LockLink:
    """Units: ``state_s`` seconds for which a state that was read is told again before the lock is asked anew.

    Shape: ``order`` is None for a lock that is only read; ``told`` a characteristic that tells its changes.
    """

    service: str
    state_s: float
    order: LockOrder | None
    told: GattPlace | None


class LockPoint(PointTable):
    characteristic: Uuid
    service: Uuid | None = None
    byte: Annotated[int, Field(ge=0, le=511)] = 0
    size: Annotated[int, Field(ge=1, le=8)] = 1
    scale: Annotated[Exact, Field(gt=0)] = Decimal(1)


class LockTable(Table):
    service: Uuid
    state_s: Annotated[Exact, Field(ge=5, le=86_400)] = Decimal(120)
    tells: Uuid | None = None


class OpenTable(Table):
    """The only characteristic of a lock that is ever written."""

    nonce: Uuid
    nonce_bytes: Annotated[int, Field(ge=8, le=64)] = 16
    command: Uuid
    code: Annotated[int, Field(ge=0, le=255)]
    mac: Literal["aes-cmac", "hmac-sha256"] = "aes-cmac"


class LockFile(Head):
    protocol: Literal["ble-lock"]
    lock: LockTable
    open: OpenTable | None = None
    point: Annotated[list[LockPoint], Field(min_length=1)]

    @property
    def points(self) -> Sequence[LockPoint]:
        return self.point


LOCK_TABLES: Mapping[str, type[Table]] = {"point": LockPoint, "lock": LockTable, "open": OpenTable}


def lock_source(file: LockFile, point: LockPoint) -> LockSource:
    place = GattPlace(point.service or file.lock.service, point.characteristic)
    return LockSource(place, point.byte, point.size, point.scale)


def lock_link(file: LockFile) -> LockLink:
    service = file.lock.service

    def place(characteristic: str) -> GattPlace:
        return GattPlace(service, characteristic)

    order = file.open
    made = None
    if order is not None:
        made = LockOrder(place(order.nonce), order.nonce_bytes, place(order.command), order.code, order.mac)
    tells = file.lock.tells
    return LockLink(service, float(file.lock.state_s), made, None if tells is None else place(tells))


def lint_lock(document: Document, file: LockFile) -> Iterator[Fault]:
    """Find what is wrong between the places of a lock."""
    read = {point.characteristic for point in file.point}
    if (order := file.open) is not None:
        if order.command in read:
            yield document.fault(
                ("open", "command"), "a point reads this characteristic", "What is written is not read."
            )
        if order.command == order.nonce:
            message = "the nonce and the command are one characteristic"
            yield document.fault(("open", "nonce"), message, "The lock gives its nonce in one of its own.")
    if file.lock.tells is not None and file.lock.tells not in read:
        yield document.fault(("lock", "tells"), "no point reads this characteristic", "Name one that a point reads.")
    seen: dict[tuple[str | None, str, int], str] = {}
    for position, point in enumerate(file.point):
        key = (point.service, point.characteristic, point.byte)
        if (other := seen.get(key)) is not None:
            yield document.fault(
                ("point", position, "byte"), f"this is '{other}' already", "Two points cannot share it."
            )
        seen.setdefault(key, point.name)
        yield from never_written(document, position, point)
    yield from of_kind(document, file, "door")

"""One order of a person to write one point: journalled, sent once, read back, journalled again.

    ordered --> refused       the device, or the house's own rules, said no: nothing has changed
            --> done          the device acknowledged
            --> unanswered    sent, and no answer came: the device may have acted; it is never sent again

What is not in the journal is not sent.
"""

import re
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from drivers.base import Driver, PointValue, WriteOrder, write_complaint
from drivers.bus.exchange import Priority
from drivers.errors import BusDown, DeviceError, DeviceOffline, DriverError
from drivers.profile import Point, Profile
from edge_agent.live import iso, value_json
from protocols.quantity import UNITS, Quantity, canonical
from protocols.sync import Event

ORDERED, FINISHED = "write_ordered", "write_finished"
_NUMBER = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*((?:[^\W\d]|%)\S*|)\s*")

# Stores an event before anything is done; False where it could not.
Journal = Callable[[Event], Awaitable[bool]]


class NotWritten(Exception):
    """Nothing was sent; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be written, and who says so.

    Shape: ``operator`` as he names himself, ``account`` the one he works under.
    Units: ``value`` in the point's canonical unit, or a state's code; ``expires_at`` aware UTC.
    """

    device: str
    point: str
    value: Decimal
    operator: str
    account: str
    expires_at: datetime
    password: str | None = None

    @property
    def to_driver(self) -> WriteOrder:
        return WriteOrder(self.operator, self.expires_at, self.password)


def parse_value(point: Point, text: str) -> Decimal:
    """Read a number, in the profile's unit or another of its kind, or a state's word.

    Raises: ValueError with what is expected.
    """
    if point.states:
        for code, word in point.states.items():
            if text.strip().lower() in (word.lower(), str(code)):
                return Decimal(code)
        words = ", ".join(f"'{word}'" for word in point.states.values())
        raise ValueError(f"'{point.name}' has no state '{text}'. There are: {words}.")
    found = _NUMBER.fullmatch(text)
    if found is None:
        unit = f" {point.unit}" if point.unit else ""
        raise ValueError(f"'{text}' is not a number. Write it as 21.5{unit}.")
    unit = found[2] or point.unit
    if unit not in UNITS:
        raise ValueError(
            f"'{unit}' is not a unit this program knows. '{point.name}' is written in {point.unit or 'no unit'}."
        )
    try:
        told = canonical(Quantity(Decimal(found[1]), unit))
    except InvalidOperation:
        raise ValueError(f"'{text}' has too many digits. Round it.") from None
    if told.value is None or told.unit != point.canonical_unit:
        raise ValueError(f"'{point.name}' is written in {point.unit or 'no unit'}, not in {unit}.")
    return told.value


def refusal(profile: Profile, order: Order, now: datetime) -> str | None:
    """Say why the house does not send an order; None where it would."""
    return write_complaint(profile, profile.point(order.point), order.value, order.to_driver, now)


def shown(point: Point, value: Decimal) -> str:
    """Write a value for people: a state's word, or a number with its unit."""
    if point.states:
        return point.states.get(int(value), f"{value}")
    return f"{value:f} {point.canonical_unit}".strip()


async def carry_out(driver: Driver, order: Order, journal: Journal) -> dict[str, Any]:
    """Write once.

    Shape: ``{"write_id", "device", "point", "value", "unit", "word", "old", "outcome", "error",
    "read_back", "recorded"}``; ``old`` and ``read_back`` as ``value_json`` gives them, None where
    the point could not be read. ``recorded`` is false where the outcome itself could not be stored.

    Raises: NotWritten where nothing was sent.
    """
    point = driver.profile.point(order.point)
    if (reason := refusal(driver.profile, order, driver.bus.clock())) is not None:
        raise NotWritten(reason)
    try:
        old = await _read(driver, point)
    except (DeviceOffline, BusDown) as error:
        raise NotWritten(f"'{order.device}' does not answer, so nothing was sent: {error.reason}") from None
    write_id = f"{order.device}/{_now_ms()}-{secrets.token_hex(3)}"
    about = {"write_id": write_id, "device": order.device, "point": order.point}
    wanted = {
        "value": format(order.value, "f"),
        "unit": point.canonical_unit,
        "word": point.states.get(int(order.value)) if point.states else None,
    }
    who = {"operator": order.operator, "account": order.account, "expires_at": iso(order.expires_at)}
    subject = f"device:{order.device}"
    if not await journal(Event(ORDERED, subject, _now_ms(), {**about, **wanted, "old": old, **who})):
        raise NotWritten("the order could not be stored, so nothing was sent; see 'edge status'")
    outcome, reason = await _send(driver, order)
    back = None
    if outcome != "refused":
        try:
            back = await _read(driver, point)
        except DriverError:
            back = None
    end = {"outcome": outcome, "error": reason, "read_back": back}
    is_recorded = await journal(Event(FINISHED, subject, _now_ms(), {**about, **end, "operator": order.operator}))
    return {**about, **wanted, "old": old, **end, "recorded": is_recorded}


async def _send(driver: Driver, order: Order) -> tuple[str, str | None]:
    try:
        await driver.write(order.point, order.value, order.to_driver)
    except (DeviceOffline, BusDown) as error:
        return "unanswered", error.reason
    except DriverError as error:
        return "refused", error.reason
    return "done", None


async def _read(driver: Driver, point: Point) -> dict[str, Any] | None:
    """Read the point alone; None where the device has no answer for it.

    Raises: DeviceOffline, BusDown.
    """
    values: list[PointValue] = []
    try:
        values = await driver.read((point.name,), Priority.COMMAND)
    except DeviceOffline:
        raise
    except DeviceError:
        pass  # some points can be written and not be read
    return value_json(values[0], point.states) if values else None


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

"""The counter guard's memory: what is believed of every billed register, and the alarms of doubt."""

import logging
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from drivers.base import PointValue
from drivers.profile import Point
from edge_agent.alarm import Alarms
from edge_agent.config import Device
from edge_agent.guard import Believed, Reason, accepted, from_note, judge, limits_of
from edge_agent.live import iso_ms, milliseconds
from protocols.quantity import Quality
from protocols.sync import Event

log = logging.getLogger("edge.guard")

# (device, point)
Key = tuple[str, str]


class Judged(NamedTuple):
    """What will be known of a register once its read is stored."""

    state: Believed
    unit: str
    reason: Reason | None = None
    rollover: Event | None = None


class GuardKeeper:
    """Judge reads by what was stored before them; a read that could not be stored changes nothing."""

    def __init__(self, alarms: Alarms) -> None:
        self._alarms = alarms
        self._states: dict[Key, Believed] = {}
        self._units: dict[Key, str] = {}

    def load(self, notes: Mapping[Key, str]) -> None:
        """Remember what the store has kept; a note that cannot be read costs only its own register."""
        for key, note in notes.items():
            try:
                self._states[key] = from_note(note)
            except (ValueError, ArithmeticError):
                log.error("%s/%s: the guard's note %r cannot be read; the next read is believed", *key, note)

    def judge(self, device: Device, register: Point, value: PointValue, judged: dict[Key, Judged]) -> PointValue:
        """Give a register's read as it is to be stored; ``judged`` gathers what will then be known.

        Shape: a read that the device itself calls bad, or that comes from its memory, is left as it is.
        """
        number, unit, quality = value.quantity
        if number is None or quality is not Quality.GOOD:
            return value
        key = (device.id, register.name)
        known = judged[key].state if key in judged else self._states.get(key)
        at = milliseconds(value.taken_at)
        reason, state, is_rollover = judge(known, number, at, limits_of(register, device.max_per_hour))
        rollover = None
        if is_rollover and known is not None:
            body = {"point": register.name, "before": str(known.value), "after": str(number), "unit": unit}
            rollover = Event("register_rollover", f"device:{device.id}", at, body)
        judged[key] = Judged(state, unit, reason, rollover)
        return value if reason is None else value._replace(quantity=value.quantity._replace(quality=Quality.SUSPECT))

    def take(self, judged: Mapping[Key, Judged]) -> list[Event]:
        """Know what has been stored; gives the events to tell of it."""
        for key, found in judged.items():
            self._states[key], self._units[key] = found.state, found.unit
        rollovers = [found.rollover for found in judged.values() if found.rollover is not None]
        return [*rollovers, *filter(None, map(self._alarm, sorted({device for device, _ in judged})))]

    def believed(self, device: str) -> dict[str, Believed]:
        """Give what is believed of a device's registers."""
        return {point: state for (owner, point), state in self._states.items() if owner == device}

    def accept(self, device: str, point: str, operator: str) -> tuple[Judged, Event] | None:
        """Give what is known once a person has accepted a doubted level; None where nothing is in doubt."""
        key = (device, point)
        state = self._states.get(key)
        if state is None or state.doubt is None:
            return None
        doubt = state.doubt
        body = {"point": point, "believed": str(state.value), "accepted": str(doubt.value), "operator": operator}
        told = Event("register_accepted", f"device:{device}", _now_ms(), {**body, "reason": doubt.reason.value})
        return Judged(accepted(state), self._units.get(key, "")), told

    def as_json(self) -> list[dict[str, Any]]:
        """Describe the registers in doubt."""
        return [
            {
                "device": device,
                "point": point,
                "reason": doubt.reason.value,
                "believed": format(state.value, "f"),
                "believed_at": iso_ms(state.at),
                "value": format(doubt.value, "f"),
                "unit": self._units.get((device, point), ""),
                "at": iso_ms(doubt.at),
                "reads": doubt.count,
            }
            for (device, point), state in sorted(self._states.items())
            if (doubt := state.doubt) is not None
        ]

    def _alarm(self, device: str) -> Event | None:
        """One alarm for all the registers of a device; the first in doubt says why."""
        doubts = [(point, state) for (owner, point), state in self._states.items() if owner == device and state.doubt]
        detail: dict[str, Any] = {}
        for point, state in doubts[:1]:
            assert state.doubt is not None
            unit = self._units.get((device, point), "")
            detail = {"point": point, "reason": state.doubt.reason.value}
            detail |= {"value": f"{state.doubt.value:f} {unit}", "believed": f"{state.value:f} {unit}"}
        subject = f"device:{device}"
        return self._alarms.update(subject, "reading_suspect", is_on=bool(doubts), at=_now_ms(), detail=detail)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

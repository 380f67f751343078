"""Alarms of the gateway: what is raised and what is cleared, as events. Pure.

A restart forgets what was raised; the gateway says so with a ``started`` event, on which the
centre clears this gateway's alarms, and whatever still holds is raised again.
"""

from collections.abc import Mapping
from typing import Any

from protocols.sync import Event

# condition -> priority: 1 urgent, 2 important, 3 general
PRIORITIES = {
    "bus_down": 1,
    "device_offline": 2,
    "store_failing": 1,
    "clock_wrong": 2,
    "store_filling": 3,
    "store_nearly_full": 2,
    "store_full": 1,
    "store_damaged": 1,
    "store_copied": 2,
    "reading_suspect": 2,
    "rules_refused": 2,
    "config_reverted": 2,
    "door_forced": 1,
    "door_held_open": 2,
    "door_tamper": 2,
    "door_default_key": 2,
    "door_power": 2,
    "lift_entrapment": 1,
    "lift_fault": 2,
    "lift_fire_mode": 2,
    "water_leak": 1,
    "smoke": 1,
    "pump_fault": 2,
    "input_alarm": 2,
}


class Alarms:
    """The alarms that last, each raised once and cleared once."""

    def __init__(self, edge_id: str) -> None:
        self._edge_id = edge_id
        self._raised: dict[tuple[str, str], str] = {}

    def update(self, subject: str, condition: str, *, is_on: bool, at: int, detail: Mapping[str, Any]) -> Event | None:
        """Tell whether a condition holds; gives the event that says a change of it, if there is one.

        Units: ``at`` is milliseconds since 1970 in UTC.
        """
        key = (subject, condition)
        if is_on == (key in self._raised):
            return None
        if is_on:
            self._raised[key] = f"{self._edge_id}/{subject}/{condition}/{at}"
            alarm_id = self._raised[key]
        else:
            alarm_id = self._raised.pop(key)
        body = {
            "alarm_id": alarm_id,
            "condition": condition,
            "state": "raised" if is_on else "cleared",
            "priority": PRIORITIES[condition],
            "detail": dict(detail),
        }
        return Event("alarm", subject, at, body)

"""One lift: its alarms, from what the poller reads anyway. Nothing here can move a lift."""

import time
from collections.abc import Sequence
from typing import Any

from drivers.base import CarStatus, PointValue
from drivers.elevator.modbus import car_status
from edge_agent.config import Device
from edge_agent.lift_alarm import LiftWatch, look
from edge_agent.recorder import Recorder

_MOST_MISSED = 3  # periods without an answer, after which a state counts as new
_LEAST_SILENT_S = 15.0


class LiftKeeper:
    """Take in what a lift's gateway answers."""

    def __init__(self, device: Device, recorder: Recorder) -> None:
        self.device = device
        self._recorder = recorder
        self._watch = LiftWatch()
        self._most_silent_s = max(_LEAST_SILENT_S, _MOST_MISSED * device.period_s)

    async def seen(self, values: Sequence[PointValue]) -> None:
        """Raise and clear what one answer says; commits before it returns."""
        car = car_status(self.device.profile, values)
        before = self._watch.entrapped_by
        self._watch, conditions = look(self._watch, car, time.monotonic(), most_silent_s=self._most_silent_s)
        detail = _detail(car, self._watch.entrapped_by or before)
        for condition, is_on in conditions.items():
            await self._recorder.alarm(f"device:{self.device.id}", condition, is_on=is_on, detail=detail)


def _detail(car: CarStatus, rule: str | None) -> dict[str, Any]:
    """Say where the car is, and for an entrapment by which rule it was inferred."""
    found = car._asdict()
    return {**found, "rule": rule} if rule is not None else found

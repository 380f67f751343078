"""A simulated lift: a car that makes a trip a minute, until somebody makes something happen to it."""

from collections.abc import Mapping
from decimal import Decimal

from drivers.sim.load import draw
from drivers.sim.model import Value

_DWELL_MS = 8_000
_CLOSING_MS = 2_000
_FLOOR_MS = 2_500
_TRIP_MS = 60_000
# After a mishap the car is brought to a landing and its doors are opened, long enough to be seen by a slow poll.
_RESCUE_MS = 10_000

MISHAPS = ("entrap", "fault", "fire", "normal")


class Lift:
    """A car whose state is a function of the time, and of what ``happen`` has done to it."""

    def __init__(self, seed: int, speed: int, floors: int) -> None:
        self._seed = seed
        self._speed = speed
        self._floors = floors
        self._mishap: dict[str, Value] = {}
        self._rescue_until_ms = 0

    @property
    def registers(self) -> Mapping[str, str]:
        return {}

    def happen(self, what: str, at_ms: int, fault_code: int = 0) -> None:
        """Stop the car between floors, give it a fault, call the firemen, or let it go on as usual."""
        self._mishap = {}
        if what == "normal":
            self._rescue_until_ms = at_ms // self._speed + _RESCUE_MS
            return
        stands: dict[str, Value] = {"direction": "stopped", "doorState": "closed"}
        if what == "entrap":
            self._mishap = {**stands, "inDoorZone": "no", "passengerAlarm": "on", "carMode": "normal"}
        elif what == "fault":
            self._mishap = {**stands, "inDoorZone": "yes", "faultCode": Decimal(fault_code)}
        elif what == "fire":
            self._mishap = {"direction": "stopped", "doorState": "open", "inDoorZone": "yes", "carMode": "firefighter"}
        self._mishap["currentFloor"] = self.trip(at_ms)["currentFloor"]

    def values(self, at_ms: int) -> dict[str, Value]:
        usual = self.trip(at_ms)
        if self._mishap:
            return {**usual, **self._mishap}
        if at_ms // self._speed < self._rescue_until_ms:
            return {**usual, "direction": "stopped", "doorState": "open", "inDoorZone": "yes"}
        return usual

    def trip(self, at_ms: int) -> dict[str, Value]:
        """Give where the car is on its usual way: doors open, floor after floor, then at rest."""
        trip, rest = divmod(at_ms // self._speed, _TRIP_MS)
        start, goal = self._floor(trip), self._floor(trip + 1)
        moved = max(0, rest - _DWELL_MS) / _FLOOR_MS
        is_there = moved >= abs(goal - start)
        is_moving = rest >= _DWELL_MS and not is_there
        step = 1 if goal > start else -1
        return {
            "currentFloor": Decimal(goal if is_there else start + step * int(moved)),
            "direction": ("up" if step > 0 else "down") if is_moving else "stopped",
            "doorState": _door(rest),
            "carMode": "normal",
            "passengerAlarm": "off",
            "inDoorZone": "no" if is_moving and moved % 1 else "yes",
            "faultCode": Decimal(0),
        }

    def _floor(self, trip: int) -> int:
        return 1 + draw(self._seed, "floor", trip) % self._floors


def _door(rest_ms: int) -> str:
    if rest_ms >= _DWELL_MS:
        return "closed"
    return "open" if rest_ms < _DWELL_MS - _CLOSING_MS else "moving"

"""Simulated I/O modules: inputs that somebody makes happen, outputs that are switched, counters that count."""

from collections.abc import Mapping
from decimal import Decimal

from drivers.profile import Profile
from drivers.sim.load import Load
from drivers.sim.model import Value


class Module:
    """What a profile's points are at a time: outputs as they were written, inputs off unless made on, counters growing."""

    def __init__(self, profile: Profile, load: Load) -> None:
        self._profile = profile
        self._load = load
        self._set: dict[str, Value] = {}

    @property
    def registers(self) -> Mapping[str, str]:
        return {}

    @property
    def inputs(self) -> list[str]:
        return [point.name for point in self._profile.points if point.states and point.write is None]

    def set(self, point: str, value: Value) -> None:
        """Make an input happen."""
        self._set[point] = value

    def order(self, point: str, value: Value, at_ms: int) -> None:
        """Take what was written."""
        self._set[point] = value

    def values(self, at_ms: int) -> dict[str, Value]:
        pulses = Decimal(self._load.steps(0, at_ms))
        return {
            point.name: self._set.get(point.name, point.states[min(point.states)] if point.states else pulses)
            for point in self._profile.points
        }


# What only shows that a motor or a contactor has arrived: (what is ordered, its word there).
_FOLLOWS = {
    "openLimit": ("valveState", "open"),
    "closedLimit": ("valveState", "closed"),
    "auxiliaryContact": ("relayState", "closed"),
}


class Driven(Module):
    """A valve or a contactor on a module: its contacts tell where it is, and leave while it travels.

    Units: ``travel_ms`` of the site's time.
    """

    def __init__(self, profile: Profile, load: Load, travel_ms: int) -> None:
        super().__init__(profile, load)
        self._travel_ms = travel_ms
        self._arrives_ms: int | None = None

    def order(self, point: str, value: Value, at_ms: int) -> None:
        if self.values(at_ms)[point] != value:
            self._arrives_ms = at_ms + self._travel_ms
        super().order(point, value, at_ms)

    def values(self, at_ms: int) -> dict[str, Value]:
        told = super().values(at_ms)
        has_arrived = self._arrives_ms is None or at_ms >= self._arrives_ms
        for point in self._profile.points:
            if point.name not in _FOLLOWS or point.name in self._set:
                continue  # made to happen by hand: it sticks
            ordered, word = _FOLLOWS[point.name]
            is_there = has_arrived and told.get(ordered) == word
            told[point.name] = point.states[(max if is_there else min)(point.states)]
        return told

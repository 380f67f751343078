"""A simulated I/O module: inputs that somebody makes happen, outputs that are switched, counters that count."""

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
        """Make an input happen, or take what was written."""
        self._set[point] = value

    def values(self, at_ms: int) -> dict[str, Value]:
        pulses = Decimal(self._load.steps(0, at_ms))
        return {
            point.name: self._set.get(point.name, point.states[min(point.states)] if point.states else pulses)
            for point in self._profile.points
        }

"""What the gateway knows of its devices right now; shown only after it was stored."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from drivers.base import PointValue
from drivers.breaker import Breaker, BreakerState
from edge_agent.config import Device
from edge_agent.schedule import Health
from protocols.quantity import Quality

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class DeviceLive:
    """One device: its breaker, its last values, its last error."""

    device: Device
    breaker: Breaker
    values: dict[str, PointValue] = field(default_factory=dict)
    last_ok_at: datetime | None = None
    error: str | None = None
    failures: int = 0
    is_degraded: bool = False
    is_line_down: bool = False

    @property
    def state(self) -> str:
        """``ok``, ``degraded`` (answers, but not well), ``offline`` or ``unknown`` before the first answer."""
        if self.is_line_down or self.breaker.state is not BreakerState.CLOSED:
            return "offline"
        if self.failures or self.is_degraded:
            return "degraded" if self.last_ok_at else "unknown"
        return "ok" if self.last_ok_at else "unknown"

    def health(self, now: float) -> Health:
        """Give what the schedule asks; ``now`` in monotonic seconds."""
        retry_at = self.breaker.retry_at
        return Health(self.failures, None if retry_at is None else retry_at - now)

    def answered(self, now: float, error: str | None = None) -> None:
        """Note an answer; ``error`` is what was refused or missing in it."""
        self.breaker.success(now)
        self.failures = 0
        self.error = error
        self.is_degraded = error is not None
        self.is_line_down = False

    def show(self, values: Sequence[PointValue]) -> None:
        """Show values; only what is stored may be shown, and what was read back is not the present."""
        values = [value for value in values if value.quantity.quality is not Quality.FROZEN]
        self.values.update({value.point: value for value in values})
        if values:
            self.last_ok_at = max(value.taken_at for value in values)

    def silent(self, error: str, now: float) -> None:
        """Note that no answer came."""
        self.breaker.failure(now)
        self.failures += 1
        self.error = error
        self.is_line_down = False

    def line_down(self, error: str) -> None:
        """Note that the line cannot be used, which says nothing of the device itself."""
        self.error = error
        self.is_line_down = True

    def as_json(self, now: float) -> dict[str, Any]:
        """Describe the device as ``edge status`` does."""
        device, retry_at = self.device, self.breaker.retry_at
        return {
            "id": device.id,
            "name": device.name,
            "bus": device.bus,
            "profile": device.profile.name,
            "kind": device.profile.kind,
            "address": device.address,
            "state": self.state,
            "last_ok_at": None if self.last_ok_at is None else iso(self.last_ok_at),
            "error": self.error,
            "breaker": self.breaker.state.value,
            "retry_in_s": None if retry_at is None else round(max(0.0, retry_at - now), 1),
            "period_s": device.period_s,
        }

    def values_json(self) -> list[dict[str, Any]]:
        """Describe the device's last values, in the profile's order."""
        points = {point.name: point for point in self.device.profile.points}
        return [value_json(self.values[name], points[name].states) for name in points if name in self.values]


def value_json(value: PointValue, states: Mapping[int, str]) -> dict[str, Any]:
    """Describe one value; ``word`` is the state's name where the point is a state."""
    number = value.quantity.value
    return {
        "point": value.point,
        "value": None if number is None else format(number, "f"),
        "unit": value.quantity.unit,
        "quality": value.quantity.quality.word,
        "word": states.get(int(number)) if states and number is not None else None,
        "taken_at": iso(value.taken_at),
    }


def iso(at: datetime) -> str:
    """Print an instant as JSON output does: UTC, milliseconds, Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(at: datetime) -> int:
    """Give an instant as it is stored; exact, so that what is shown and what is stored agree."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def iso_ms(at: int) -> str:
    """Print an instant in milliseconds as JSON output does."""
    return iso(_EPOCH + timedelta(milliseconds=at))


def new_live(devices: tuple[Device, ...], monotonic: Callable[[], float] = time.monotonic) -> dict[str, DeviceLive]:
    """Begin with nothing known of any device."""
    return {device.id: DeviceLive(device, Breaker(monotonic())) for device in devices}

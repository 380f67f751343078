"""What the simulated devices hold: every point as a function of the site's time.

Quantities are in the house's canonical units; states are words, which a profile or a codec
turns into its own codes. Nothing here knows a protocol.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple, Protocol

from drivers.sim.load import STEP, Load, draw

Value = Decimal | str

_TENTH = Decimal("0.1")
_MILLI = Decimal("0.001")
_POWER_FACTOR = Decimal("0.95")
# sqrt(1 / 0.95^2 - 1): reactive over active power at that power factor.
_REACTIVE_SHARE = Decimal("0.3287")
_TARIFF_SHARES = (1, 3, 4, 2)  # sharp, peak, flat, valley: tenths of the steps
_TARIFFS = (1, 2, 3, 4)
_ENERGIES = (
    "energyImportTotal",
    "energyTotal",
    "energyCombinedTotal",
    "energyExportTotal",
    *(f"energyImportTariff{tariff}" for tariff in _TARIFFS),
    *(f"energyExportTariff{tariff}" for tariff in _TARIFFS),
)
_JITTER_MS = 5_000
_PHASES = (1, 2, 3)


class Base(NamedTuple):
    """Where a register stood: its steps at an instant of the site's time."""

    steps: int
    at_ms: int


class Model(Protocol):
    """One simulated device.

    Shape: ``registers`` maps the cumulative points to their unit, the first one being the billed one.
    """

    @property
    def registers(self) -> Mapping[str, str]: ...

    def values(self, at_ms: int) -> dict[str, Value]: ...


@dataclass(frozen=True, slots=True)
class Electricity:
    """A three-phase meter with four tariffs and a load that only draws."""

    load: Load
    base: Base

    @property
    def registers(self) -> Mapping[str, str]:
        return dict.fromkeys(_ENERGIES, "kWh")

    def values(self, at_ms: int) -> dict[str, Value]:
        power = self.load.rate(at_ms).quantize(_TENTH, ROUND_HALF_EVEN)
        values: dict[str, Value] = dict.fromkeys(_ENERGIES, 0 * STEP)
        values.update(self._energies(at_ms))
        values.update(_powers("Total", power))
        values["pf"] = _POWER_FACTOR
        values["freq"] = Decimal(4998 + draw(self.load.seed, "freq", at_ms // _JITTER_MS) % 5) / 100
        values.update(self._phases(power, at_ms))
        return values

    def _energies(self, at_ms: int) -> dict[str, Value]:
        steps = self._steps(at_ms)
        names = ("energyImportTotal", "energyTotal", "energyCombinedTotal")
        values: dict[str, Value] = dict.fromkeys(names, steps * STEP)
        values.update(
            {f"energyImportTariff{number}": share * STEP for number, share in enumerate(_tariffs(steps), start=1)}
        )
        return values

    def _steps(self, at_ms: int) -> int:
        return self.base.steps + self.load.steps(self.base.at_ms, max(at_ms, self.base.at_ms))

    def _phases(self, power: Decimal, at_ms: int) -> dict[str, Value]:
        """Share the power among the phases, the last one taking what rounding leaves."""
        values: dict[str, Value] = {}
        left = power
        for phase in _PHASES:
            share = left if phase == _PHASES[-1] else (power * (40 - 5 * phase) / 100).quantize(_TENTH)
            left -= share
            volts = Decimal(2280 + draw(self.load.seed, "volt", phase, at_ms // _JITTER_MS) % 60) / 10
            values.update(_powers(f"L{phase}", share))
            values[f"voltageL{phase}"] = volts
            values[f"currentL{phase}"] = (share / volts / _POWER_FACTOR).quantize(_MILLI)
            values[f"pfL{phase}"] = _POWER_FACTOR
        return values


# A home uses some ten m3 a month, so the last full ten stand for the last settlement.
_SETTLEMENT_STEPS = 1_000


@dataclass(frozen=True, slots=True)
class Water:
    """A cold-water meter with an open valve."""

    load: Load
    base: Base

    @property
    def registers(self) -> Mapping[str, str]:
        return {"volumeTotal": "m3"}

    def values(self, at_ms: int) -> dict[str, Value]:
        steps = self.base.steps + self.load.steps(self.base.at_ms, at_ms)
        return {
            "volumeTotal": steps * STEP,
            "settlementVolume": (steps - steps % _SETTLEMENT_STEPS) * STEP,
            "flowRate": (self.load.rate(at_ms) / 1000).quantize(_MILLI),
            "valveState": "open",
            "batteryLow": "ok",
        }


_DWELL_MS = 8_000
_CLOSING_MS = 2_000
_FLOOR_MS = 2_500
_TRIP_MS = 60_000


@dataclass(frozen=True, slots=True)
class Lift:
    """A car that makes a trip a minute: doors open, floor after floor, then at rest."""

    seed: int
    speed: int
    floors: int

    @property
    def registers(self) -> Mapping[str, str]:
        return {}

    def values(self, at_ms: int) -> dict[str, Value]:
        trip, rest = divmod(at_ms // self.speed, _TRIP_MS)
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
        }

    def _floor(self, trip: int) -> int:
        return 1 + draw(self.seed, "floor", trip) % self.floors


def _door(rest_ms: int) -> str:
    if rest_ms >= _DWELL_MS:
        return "closed"
    return "open" if rest_ms < _DWELL_MS - _CLOSING_MS else "moving"


_DOOR_SLOT_MS = 45_000
_UNLOCKED_MS = 6_000


@dataclass(frozen=True, slots=True)
class Door:
    """An entrance that somebody walks through in every second slot of 45 s."""

    seed: int
    speed: int

    @property
    def registers(self) -> Mapping[str, str]:
        return {}

    def values(self, at_ms: int) -> dict[str, Value]:
        slot, rest = divmod(at_ms // self.speed, _DOOR_SLOT_MS)
        begins = draw(self.seed, "visit", slot) % (_DOOR_SLOT_MS - _UNLOCKED_MS)
        since = rest - begins if draw(self.seed, "visitor", slot) % 2 else -1
        is_unlocked = 0 <= since < _UNLOCKED_MS
        return {
            "doorState": "open" if is_unlocked and since >= 1000 else "closed",
            "lockState": "unlocked" if is_unlocked else "locked",
            "tamper": "ok",
        }


def _powers(suffix: str, power: Decimal) -> dict[str, Value]:
    return {
        f"power{suffix}": power,
        f"reactivePower{suffix}": (power * _REACTIVE_SHARE).quantize(_TENTH),
        f"apparentPower{suffix}": (power / _POWER_FACTOR).quantize(_TENTH),
    }


def _tariffs(steps: int) -> list[int]:
    """Count each tariff's steps so that all four only grow and sum to the whole."""
    tens, rest = divmod(steps, sum(_TARIFF_SHARES))
    counts, before = [], 0
    for share in _TARIFF_SHARES:
        counts.append(tens * share + min(max(rest - before, 0), share))
        before += share
    return counts

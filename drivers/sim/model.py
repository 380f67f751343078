"""What the simulated devices hold: every point as a function of the site's time.

Quantities are in the house's canonical units; states are words, which a profile or a codec
turns into its own codes. Nothing here knows a protocol.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
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
_PHASES = (1, 2, 3)
_PHASE_SHARES = (7, 6, 7)  # twentieths of the steps, as of the power
_ENERGIES = (
    "energyImportTotal",
    "energyTotal",
    "energyCombinedTotal",
    "energyExportTotal",
    *(f"energyImportTariff{tariff}" for tariff in _TARIFFS),
    *(f"energyExportTariff{tariff}" for tariff in _TARIFFS),
    *(f"energyImportL{phase}" for phase in _PHASES),
    *(f"energyExportL{phase}" for phase in _PHASES),
)
_REACTIVES = ("reactiveImport", "reactiveExport", "reactiveTotal")
_JITTER_MS = 5_000


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
        return dict.fromkeys(_ENERGIES, "kWh") | dict.fromkeys(_REACTIVES, "kvarh")

    def values(self, at_ms: int) -> dict[str, Value]:
        power = self.load.rate(at_ms).quantize(_TENTH, ROUND_HALF_EVEN)
        values: dict[str, Value] = dict.fromkeys(self.registers, 0 * STEP)
        values.update(self._energies(at_ms))
        values.update(_powers("Total", power))
        values["powerImport"], values["powerExport"] = power, 0 * _TENTH
        values["pf"] = _POWER_FACTOR
        values["freq"] = Decimal(4998 + draw(self.load.seed, "freq", at_ms // _JITTER_MS) % 5) / 100
        values.update(self._phases(power, at_ms))
        return values

    def _energies(self, at_ms: int) -> dict[str, Value]:
        steps = self._steps(at_ms)
        names = ("energyImportTotal", "energyTotal", "energyCombinedTotal")
        values: dict[str, Value] = dict.fromkeys(names, steps * STEP)
        for name, shares in (("energyImportTariff", _TARIFF_SHARES), ("energyImportL", _PHASE_SHARES)):
            values.update({f"{name}{number}": it * STEP for number, it in enumerate(_shared(steps, shares), start=1)})
        reactive = (steps * STEP * _REACTIVE_SHARE).quantize(STEP, ROUND_FLOOR)
        values.update(dict.fromkeys(("reactiveImport", "reactiveTotal"), reactive))
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
        return {"volumeTotal": "m3", "volumeReverse": "m3"}

    def values(self, at_ms: int) -> dict[str, Value]:
        steps = self.base.steps + self.load.steps(self.base.at_ms, at_ms)
        return {
            "volumeTotal": steps * STEP,
            "volumeNet": steps * STEP,
            "volumeReverse": 0 * STEP,
            "pressure": Decimal(320),
            "temperature": Decimal("14.5"),
            "settlementVolume": (steps - steps % _SETTLEMENT_STEPS) * STEP,
            "flowRate": (self.load.rate(at_ms) / 1000).quantize(_MILLI),
            "valveState": "open",
            "batteryLow": "ok",
        }


def _powers(suffix: str, power: Decimal) -> dict[str, Value]:
    return {
        f"power{suffix}": power,
        f"reactivePower{suffix}": (power * _REACTIVE_SHARE).quantize(_TENTH),
        f"apparentPower{suffix}": (power / _POWER_FACTOR).quantize(_TENTH),
    }


def _shared(steps: int, shares: tuple[int, ...]) -> list[int]:
    """Count each one's steps so that all only grow and sum to the whole."""
    rounds, rest = divmod(steps, sum(shares))
    counts, before = [], 0
    for share in shares:
        counts.append(rounds * share + min(max(rest - before, 0), share))
        before += share
    return counts

"""What simulated heat and gas meters hold: points as functions of the site's time, no protocol."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from drivers.sim.load import STEP, Load, draw
from drivers.sim.model import Base, Value

_TENTH, _MILLI = Decimal("0.1"), Decimal("0.001")
# Water gives off 1.163 Wh for each litre and kelvin.
_WH_PER_L_K = Decimal("1.163")
_GJ_PER_KWH = Decimal("0.0036")
_JITTER_MS = 60_000
_HOUR_MS = 3_600_000
_SETTLEMENT_STEPS = 1_000


@dataclass(frozen=True, slots=True)
class Heat:
    """A heat meter of a home: 15 K between supply and return, whatever it draws."""

    load: Load
    base: Base

    @property
    def registers(self) -> Mapping[str, str]:
        return {"energyTotal": "kWh"}

    def values(self, at_ms: int) -> dict[str, Value]:
        steps = self.base.steps + self.load.steps(self.base.at_ms, max(at_ms, self.base.at_ms))
        energy = steps * STEP
        power = self.load.rate(at_ms).quantize(_TENTH, ROUND_HALF_EVEN)
        supply = Decimal(4500 + draw(self.load.seed, "supply", at_ms // _JITTER_MS) % 200) / 100
        difference = Decimal(15)
        litres = (energy * 1000 / _WH_PER_L_K / difference).quantize(Decimal(1))
        return {
            "energyTotal": energy,
            "settlementEnergy": (steps - steps % _SETTLEMENT_STEPS) * STEP,
            "energyCooling": 0 * STEP,
            "volumeTotal": litres / 1000,
            "powerTotal": power,
            "flowRate": (power / _WH_PER_L_K / difference / 1000).quantize(_MILLI),
            "supplyTemperature": supply,
            "returnTemperature": supply - difference,
            "temperatureDifference": difference,
            "operatingTime": Decimal(at_ms // _HOUR_MS * 3600),
            "valveState": "open",
            "batteryLow": "ok",
        }


@dataclass(frozen=True, slots=True)
class JouleHeat:
    """The same meter, made for a country that counts heat in joules."""

    heat: Heat

    @property
    def registers(self) -> Mapping[str, str]:
        return {"energyTotal": "GJ"}

    def values(self, at_ms: int) -> dict[str, Value]:
        values = self.heat.values(at_ms)
        for point in ("energyTotal", "settlementEnergy", "energyCooling"):
            value = values[point]
            assert isinstance(value, Decimal)
            values[point] = (value * _GJ_PER_KWH).quantize(_MILLI, ROUND_HALF_EVEN)
        return values


@dataclass(frozen=True, slots=True)
class Gas:
    """A gas meter with an open valve."""

    load: Load
    base: Base

    @property
    def registers(self) -> Mapping[str, str]:
        return {"volumeTotal": "m3"}

    def values(self, at_ms: int) -> dict[str, Value]:
        steps = self.base.steps + self.load.steps(self.base.at_ms, max(at_ms, self.base.at_ms))
        return {
            "volumeTotal": steps * STEP,
            "settlementVolume": (steps - steps % _SETTLEMENT_STEPS) * STEP,
            "flowRate": (self.load.rate(at_ms) / 1000).quantize(_MILLI),
            "valveState": "open",
            "batteryLow": "ok",
        }

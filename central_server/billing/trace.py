"""The evidence under a bill line: reads, the batches they came in, and how the amount was made."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from central_server.billing.model import Priced, Tariff, Version
from central_server.billing.money import plain, yuan
from central_server.billing.period import parse_instant, to_iso
from protocols.quantity import Quality

ROUNDING_RULE = "half-up, once, to the fen; parts by largest remainder"

_QUALITIES = {quality.word: quality for quality in Quality}


class BatchRef(NamedTuple):
    """Where a reading stands in the log of received batches; ``digest`` is the batch's SHA-256."""

    gateway: str
    epoch: str
    lane: str
    seq: int
    digest: str


class Read(NamedTuple):
    """A register at an instant; ``batch`` is None for a figure that a person noted at the installation.

    Units: ``at`` in ms since the epoch.
    """

    at: int
    value: Decimal
    quality: Quality
    batch: BatchRef | None

    def to_json(self, unit: str) -> dict[str, Any]:
        return {
            "value": plain(self.value),
            "unit": unit,
            "at": to_iso(self.at),
            "quality": self.quality.word,
            "source": "reading" if self.batch else "installation",
            "batch": self.batch._asdict() if self.batch else None,
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "Read":
        batch = said["batch"]
        return cls(
            parse_instant(said["at"]),
            Decimal(said["value"]),
            _QUALITIES[said["quality"]],
            BatchRef(**batch) if batch else None,
        )


class Meter(NamedTuple):
    """A register of a device on a gateway; ``register`` is the name of its point."""

    gateway: str
    device: str
    register: str

    def __str__(self) -> str:
        return f"{self.gateway}/{self.device} {self.register}"


@dataclass(frozen=True, slots=True)
class Reason:
    """All that went into one bill line."""

    meter: Meter
    meter_name: str
    opening: Read
    closing: Read
    multiplier: Decimal
    use: Decimal
    unit: str
    tariff: Tariff
    version: Version
    used_before: Decimal
    priced: Priced
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give the trace as it is stored with the line: decimals as text, money also in yuan."""
        return {
            "meter": {"gateway": self.meter.gateway, "device": self.meter.device, "name": self.meter_name},
            "register": self.meter.register,
            "opening": self.opening.to_json(self.unit),
            "closing": self.closing.to_json(self.unit),
            "multiplier": plain(self.multiplier),
            "consumption": plain(self.use),
            "unit": self.unit,
            "tariff": {
                "code": self.tariff.code,
                "version": self.version.valid_from.isoformat(),
                "digest": self.version.digest,
                "name": self.tariff.name._asdict(),
                "kind": self.version.kind,
                "source": self.version.source,
            },
            "tier_period": self.version.tier_period,
            "used_before": plain(self.used_before) if self.version.tier_period else None,
            **priced_json(self.priced),
            "notes": list(self.notes),
        }


def priced_json(priced: Priced) -> dict[str, Any]:
    """Give tiers, components and rounding; exact amounts unrounded, ``amount`` the share of the total.

    Units: yuan.
    """
    return {
        "tiers": [
            {
                "from": plain(part.tier.lower),
                "to": None if part.tier.upper is None else plain(part.tier.upper),
                "quantity": plain(part.quantity),
                "price": plain(part.tier.price),
                "exact": plain(part.exact),
                "amount": yuan(part.fen),
            }
            for part in priced.tiers
        ],
        "components": [
            {
                "key": part.component.key,
                "name": part.component.name._asdict(),
                "exact": plain(part.exact),
                "amount": yuan(part.fen),
            }
            for part in priced.components
        ],
        "rounding": {"rule": ROUNDING_RULE, "exact": plain(priced.exact), "rounded": yuan(priced.total_fen)},
        "total": yuan(priced.total_fen),
    }

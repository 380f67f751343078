"""A planned run as plain records: bills with their lines, what was parked, and the hashes of both sides."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any, NamedTuple

from central_server.billing.canonical import digest
from central_server.billing.money import EXACT, plain, yuan
from central_server.billing.period import to_iso
from central_server.billing.plan import Line, Window

_METERED = {"kWh": "kwh", "m3": "m3"}


class Parked(NamedTuple):
    """A metering point left out of a run; ``key`` is for programs, ``reason`` for people."""

    account: str
    unit: str
    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Bill:
    """One unit's bill before it is stored.

    Units: instants in ms since the epoch, money in fen.
    """

    number: str
    unit_id: int
    unit_code: str
    owner: str
    lines: tuple[Line, ...]
    through_at: int

    @property
    def from_at(self) -> int:
        return min(each.reason.opening.at for each in self.lines)

    @property
    def total_fen(self) -> int:
        return sum(each.reason.priced.total_fen for each in self.lines)


@dataclass(frozen=True, slots=True)
class SiteRun:
    """One site's share of a run; equal inputs give equal hashes on every machine.

    Shape: ``waiting_batches`` were received but not expanded, so that their readings are not billed yet.
    """

    site_id: int
    site_code: str
    window: Window
    bills: tuple[Bill, ...]
    parked: tuple[Parked, ...]
    already_billed: int
    waiting_batches: int

    @property
    def input_hash(self) -> str:
        return digest(
            {
                "site": self.site_code,
                "period": str(self.window.period),
                "through": to_iso(self.window.through_at),
                "lines": [_line_input(bill, each) for bill in self.bills for each in bill.lines],
                "parked": [list(each) for each in self.parked],
            }
        )

    @property
    def output_hash(self) -> str:
        return digest([_bill_output(bill) for bill in self.bills])


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run issued, or would issue."""

    period: str
    is_dry_run: bool
    sites: tuple[SiteRun, ...]

    @property
    def bills(self) -> list[Bill]:
        return [bill for site in self.sites for bill in site.bills]

    @property
    def lines(self) -> list[Line]:
        return [each for bill in self.bills for each in bill.lines]

    @property
    def parked(self) -> list[Parked]:
        return [each for site in self.sites for each in site.parked]

    @property
    def already_billed(self) -> int:
        return sum(site.already_billed for site in self.sites)

    @property
    def waiting_batches(self) -> int:
        return sum(site.waiting_batches for site in self.sites)

    def to_json(self) -> dict[str, Any]:
        """Give the run as ``central bill run --json`` prints it."""
        return {
            "period": self.period,
            "sites": [{"site": site.site_code, "through": to_iso(site.window.through_at)} for site in self.sites],
            "dry_run": self.is_dry_run,
            "bills": len(self.bills),
            "lines": len(self.lines),
            "total": yuan(sum(bill.total_fen for bill in self.bills)),
            "metered": metered(self.lines),
            "parked": [each._asdict() for each in self.parked],
            "already_billed": self.already_billed,
            "waiting_batches": self.waiting_batches,
            "input_hash": _joined([site.input_hash for site in self.sites]),
            "output_hash": _joined([site.output_hash for site in self.sites]),
        }


def metered(lines: Iterable[Line]) -> dict[str, str]:
    """Sum billed quantities by unit, exactly."""
    sums = dict.fromkeys(_METERED.values(), Decimal(0))
    with localcontext(EXACT):
        for each in lines:
            key = _METERED.get(each.reason.unit, each.reason.unit)
            sums[key] = sums.get(key, Decimal(0)) + each.reason.use
    return {key: plain(value) for key, value in sums.items()}


def totals(site: SiteRun) -> dict[str, Any]:
    """Give the figures that are kept with a stored run."""
    lines = [each for bill in site.bills for each in bill.lines]
    return {
        "bills": len(site.bills),
        "lines": len(lines),
        "total_fen": sum(bill.total_fen for bill in site.bills),
        "metered": metered(lines),
        "parked": [each._asdict() for each in site.parked],
    }


def line_row(position: int, each: Line) -> dict[str, Any]:
    """Give a line as it is stored and hashed, without the ids of one database."""
    reason = each.reason
    return {
        "position": position,
        "description_key": each.point.kind,
        "kind": "metered",
        "quantity": plain(reason.use),
        "unit": reason.unit,
        "unit_price": None if each.unit_price is None else plain(each.unit_price),
        "amount_fen": reason.priced.total_fen,
        "opening_at": reason.opening.at,
        "closing_at": reason.closing.at,
        "trace": reason.to_json(),
    }


def _line_input(bill: Bill, each: Line) -> dict[str, Any]:
    reason = each.reason
    return {
        "unit": bill.unit_code,
        "owner": bill.owner,
        "point": each.point.code,
        "meter": [*reason.meter, reason.meter_name],
        "opening": reason.opening.to_json(reason.unit),
        "closing": reason.closing.to_json(reason.unit),
        "multiplier": plain(reason.multiplier),
        "tariff": [reason.tariff.code, reason.version.digest],
        "used_before": plain(reason.used_before),
    }


def _bill_output(bill: Bill) -> dict[str, Any]:
    return {
        "number": bill.number,
        "unit": bill.unit_code,
        "owner": bill.owner,
        "through": to_iso(bill.through_at),
        "total_fen": bill.total_fen,
        "lines": [{"point": each.point.code, **line_row(at, each)} for at, each in enumerate(bill.lines, start=1)],
    }


def _joined(hashes: Sequence[str]) -> str:
    return hashes[0] if len(hashes) == 1 else digest(list(hashes))

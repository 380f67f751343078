"""A planned run as plain records: bills with their lines, what was parked, and the hashes of both sides."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any, NamedTuple

from central_server.billing.canonical import digest
from central_server.billing.charge import Charge
from central_server.billing.money import EXACT, plain, yuan
from central_server.billing.period import to_iso
from central_server.billing.plan import Line, Park, Window

_METERED = {"kWh": "kwh", "m3": "m3"}


class Parked(NamedTuple):
    """A metering point left out of a run; ``key`` is for programs, ``reason`` for people, ``why`` for pages."""

    account: str
    unit: str
    why: Park

    @property
    def key(self) -> str:
        return self.why.key

    @property
    def reason(self) -> str:
        return self.why.reason

    def to_json(self) -> dict[str, str]:
        return {"account": self.account, "unit": self.unit, "key": self.key, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Bill:
    """One unit's bill before it is stored: what its meters counted, and what else it owes.

    Units: instants in ms since the epoch, money in fen.
    """

    number: str
    unit_id: int
    unit_code: str
    owner: str
    lines: tuple[Line, ...]
    charges: tuple[Charge, ...]
    window: Window

    @property
    def from_at(self) -> int:
        return min((each.reason.opening.at for each in self.lines), default=self.window.starts_at)

    @property
    def through_at(self) -> int:
        return self.window.through_at

    @property
    def total_fen(self) -> int:
        metered = sum(each.reason.priced.total_fen for each in self.lines)
        return metered + sum(each.amount_fen for each in self.charges)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Give the lines as they are stored and hashed, meters first; without the ids of one database."""
        metered = [line_row(position, each) for position, each in enumerate(self.lines, start=1)]
        return [*metered, *(charge_row(at, each) for at, each in enumerate(self.charges, start=len(metered) + 1))]


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
                "charges": [_charge_input(bill, each) for bill in self.bills for each in bill.charges],
                "parked": [list(each.to_json().values()) for each in self.parked],
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
    def charges(self) -> list[Charge]:
        return [each for bill in self.bills for each in bill.charges]

    @property
    def total_fen(self) -> int:
        return sum(bill.total_fen for bill in self.bills)

    @property
    def output_hash(self) -> str:
        """Name what a run issues; an equal hash issues equal bills."""
        return _joined([site.output_hash for site in self.sites])

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
            "lines": len(self.lines) + len(self.charges),
            "charges": len(self.charges),
            "total": yuan(self.total_fen),
            "metered": metered(self.lines),
            "parked": [each.to_json() for each in self.parked],
            "already_billed": self.already_billed,
            "waiting_batches": self.waiting_batches,
            "input_hash": _joined([site.input_hash for site in self.sites]),
            "output_hash": self.output_hash,
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
        "lines": len(lines) + sum(len(bill.charges) for bill in site.bills),
        "total_fen": sum(bill.total_fen for bill in site.bills),
        "metered": metered(lines),
        "parked": [each.to_json() for each in site.parked],
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
        "source_key": None,
    }


def charge_row(position: int, each: Charge) -> dict[str, Any]:
    """Give a charge as a line, which keeps all that was said when it was made."""
    return {
        "position": position,
        "description_key": each.kind,
        "kind": "charge",
        "quantity": "1",
        "unit": "",
        "unit_price": None,
        "amount_fen": each.amount_fen,
        "opening_at": None,
        "closing_at": None,
        "trace": {"description": dict(each.description), "period": each.period, "evidence": dict(each.trace)},
        "source_key": each.key,
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


def _charge_input(bill: Bill, each: Charge) -> dict[str, Any]:
    return {"unit": bill.unit_code, "owner": bill.owner, "key": each.key, "amount_fen": each.amount_fen}


def _bill_output(bill: Bill) -> dict[str, Any]:
    points = [*(each.point.code for each in bill.lines), *(None for _ in bill.charges)]
    return {
        "number": bill.number,
        "unit": bill.unit_code,
        "owner": bill.owner,
        "through": to_iso(bill.through_at),
        "total_fen": bill.total_fen,
        "lines": [{"point": point, **row} for point, row in zip(points, bill.rows, strict=True)],
    }


def _joined(hashes: Sequence[str]) -> str:
    return hashes[0] if len(hashes) == 1 else digest(list(hashes))

"""Issued bills as the dashboard and the command line show them."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from central_server.billing.money import plain, yuan
from central_server.billing.period import to_iso
from central_server.billing.reference import reference_of
from central_server.billing.trace import Read


class BillSummary(NamedTuple):
    """A bill in a list. Units: instants in ms since the epoch, money in fen."""

    id: int
    unit_id: int
    number: str
    period: str
    site: str
    unit: str
    owner: str
    from_at: int
    through_at: int
    due_on: str
    issued_at: int
    total_fen: int
    paid_fen: int

    @property
    def balance_fen(self) -> int:
        """Give what is still owed."""
        return self.total_fen - self.paid_fen

    @property
    def reference(self) -> str:
        """Give what a payer says at the counter."""
        return reference_of(self.number)

    def state(self, on: str) -> str:
        """Give a name of words.BILL_STATES on a day."""
        if self.balance_fen <= 0:
            return "paid"
        if self.due_on < on:
            return "overdue"
        return "part" if self.paid_fen else "open"

    def to_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "period": self.period,
            "site": self.site,
            "unit": self.unit,
            "owner": self.owner,
            "from": to_iso(self.from_at),
            "through": to_iso(self.through_at),
            "due_on": self.due_on,
            "issued_at": to_iso(self.issued_at),
            "total": yuan(self.total_fen),
            "paid": yuan(self.paid_fen),
            "balance": yuan(self.balance_fen),
            "reference": self.reference,
        }


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which bills to list.

    Shape: ``search`` looks in number, unit, owner and the payer's reference; ``state`` is "", "open" for
    what is owed, or "overdue" for what was due before the day ``on``.
    """

    search: str = ""
    period: str | None = None
    state: str = ""
    on: str = ""
    unit_id: int | None = None


class BillPage(NamedTuple):
    """Some bills of ``total`` that match; ``owed_fen`` of all of them, told where a state is wanted."""

    total: int
    items: tuple[BillSummary, ...]
    owed_fen: int = 0


@dataclass(frozen=True, slots=True)
class LineView:
    """A bill line; ``trace`` is its evidence as stored, ``unit_price`` is None where tiers apply.

    Shape: a charge's line has no point and no reads; its trace says description, period and evidence.
    """

    position: int
    point: str | None
    description_key: str
    kind: str
    quantity: Decimal
    unit: str
    unit_price: Decimal | None
    amount_fen: int
    opening: Read | None
    closing: Read | None
    trace: Mapping[str, Any]
    source_key: str | None

    def to_json(self) -> dict[str, Any]:
        return {
            "position": self.position,
            "metering_point": self.point,
            "description": self.description_key,
            "kind": self.kind,
            "quantity": plain(self.quantity),
            "unit": self.unit,
            "unit_price": None if self.unit_price is None else plain(self.unit_price),
            "amount": yuan(self.amount_fen),
            "source": self.source_key,
            "trace": dict(self.trace),
        }


@dataclass(frozen=True, slots=True)
class BillView:
    """An issued bill with all its lines; ``zone`` is the site's, for showing instants."""

    summary: BillSummary
    building: str
    zone: str
    lines: tuple[LineView, ...]
    run_input_hash: str
    run_output_hash: str

    def to_json(self) -> dict[str, Any]:
        """Give the bill as ``central bill show --json`` prints it."""
        return {
            **self.summary.to_json(),
            "building": self.building,
            "zone": self.zone,
            "lines": [each.to_json() for each in self.lines],
            "run": {"input_hash": self.run_input_hash, "output_hash": self.run_output_hash},
        }

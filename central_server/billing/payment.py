"""Payments: money taken for a bill, never more than is owed, and taken back by a second entry, never a change."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import audit
from central_server.billing import payment_store as store
from central_server.billing.money import yuan
from central_server.billing.payment_store import Owed, Payment, Sums
from central_server.billing.period import local_day
from central_server.db import Database
from central_server.errors import Conflict, NotFound
from central_server.form import Invalid, Problem
from central_server.rbac import Actor


class Method(StrEnum):
    """How money was paid."""

    CASH = "cash"
    CARD = "card"
    TRANSFER = "transfer"
    WECHAT = "wechat"
    ALIPAY = "alipay"

    @property
    def is_online(self) -> bool:
        """Tell whether the payer needed nobody at the counter."""
        return self in (Method.WECHAT, Method.ALIPAY)


class Taking(BaseModel):
    """What the clerk types; ``once`` is made with the form, so that a form sent twice takes the money once."""

    amount: Annotated[Decimal, Field(gt=0, le=10_000_000, decimal_places=2)]
    method: Method
    once: Annotated[str, StringConstraints(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]

    @property
    def amount_fen(self) -> int:
        return int(self.amount * 100)


class Reversal(BaseModel):
    """Why money is given back."""

    reason: Annotated[str, StringConstraints(min_length=3, max_length=300)]


@dataclass(frozen=True, slots=True)
class Day:
    """The payments of a day, newest first, and their sums."""

    payments: Sequence[Payment]
    by_method: dict[str, int]

    @property
    def total_fen(self) -> int:
        return sum(self.by_method.values())


def check_amount(amount_fen: int, owed_fen: int) -> None:
    """Refuse to take nothing, or more than is owed. Raises: Invalid."""
    if owed_fen <= 0:
        raise Invalid({"amount": Problem("This bill is paid. Nothing more is owed.")})
    if amount_fen <= 0:
        raise Invalid({"amount": Problem("Write a number above {gt}.", {"gt": 0})})
    if amount_fen > owed_fen:
        raise Invalid({"amount": Problem("No more than ¥ {most} is owed.", {"most": yuan(owed_fen)})})


async def take_payment(db: Database, actor: Actor, number: str, taking: Taking, now: int) -> Payment:
    """Take money for a bill; the same form sent again gives the payment that was taken.

    Raises: NotFound; Invalid for an amount that is not owed.
    """
    async with db.write() as connection:
        await store.one_at_a_time(connection)
        bill = await _bill(connection, actor, number)
        if (taken := await store.by_once_key(connection, taking.once)) is not None:
            if taken.bill != number:
                raise Conflict("form_used", "This form was used for another bill. Open the bill again.")
            return taken
        check_amount(taking.amount_fen, bill.owed_fen)
        reference = await _next_reference(connection, bill, now)
        await store.add(
            connection,
            bill_id=bill.id,
            amount_fen=taking.amount_fen,
            method=taking.method.value,
            is_online=taking.method.is_online,
            reference=reference,
            once_key=taking.once,
            taken_at=now,
            taken_by=actor.login,
        )
        said = {"bill": number, "method": taking.method.value}
        await audit.note(
            connection, actor, "payments.take", f"payment:{reference}", amount_fen=taking.amount_fen, **said
        )
        return await _payment(connection, actor, reference)


async def reverse_payment(db: Database, actor: Actor, reference: str, reversal: Reversal, now: int) -> Payment:
    """Give a payment back by a counter-entry; what was taken stays on record.

    Raises: NotFound; Conflict for one that is given back already, or is itself a counter-entry.
    """
    async with db.write() as connection:
        await store.one_at_a_time(connection)
        taken = await _payment(connection, actor, reference)
        if taken.is_reversal or taken.reversed_by:
            raise Conflict("payment_reversed", "This payment has been given back already.")
        bill = await _bill(connection, actor, taken.bill)
        counter = await _next_reference(connection, bill, now)
        await store.add(
            connection,
            bill_id=bill.id,
            amount_fen=-taken.amount_fen,
            method=taken.method,
            is_online=taken.is_online,
            reference=counter,
            once_key=f"reverses-{taken.id}",
            taken_at=now,
            taken_by=actor.login,
            reverses_id=taken.id,
            reason=reversal.reason,
        )
        amount = -taken.amount_fen
        await audit.note(
            connection, actor, "payments.reverse", f"payment:{counter}", amount_fen=amount, reverses=reference
        )
        return await _payment(connection, actor, counter)


async def get_payment(db: Database, actor: Actor, reference: str) -> Payment:
    """Give one payment. Raises: NotFound."""
    async with db.read() as connection:
        return await _payment(connection, actor, reference)


async def payments_of_bill(connection: AsyncConnection, bill_id: int) -> list[Payment]:
    """Give a bill's payments, oldest first, for whoever may see the bill."""
    return await store.of_bill(connection, bill_id)


async def payments_between(connection: AsyncConnection, actor: Actor, from_at: int, to_at: int) -> Day:
    """Give the payments of a stretch of time with their sums. Units: ms since the epoch, ``to_at`` not included."""
    found = await store.between(connection, actor, from_at, to_at)
    sums: dict[str, int] = {}
    for each in found:
        sums[each.method] = sums.get(each.method, 0) + each.amount_fen
    return Day(found, sums)


async def received(connection: AsyncConnection, site_id: int, from_at: int, to_at: int) -> Sums:
    """Sum what a site has received in a stretch of time, what was given back taken off: (all, online). Units: fen."""
    return await store.received(connection, site_id, from_at, to_at)


async def due(connection: AsyncConnection, site_id: int, from_on: str, to_on: str) -> Sums:
    """Sum a site's bills due in [from_on, to_on): (billed, paid of it by now). Units: fen."""
    return await store.due(connection, site_id, from_on, to_on)


async def _bill(connection: AsyncConnection, actor: Actor, number: str) -> Owed:
    found = await store.owed(connection, actor, number)
    if found is None:
        raise NotFound("no_bill", "There is no bill of this number.")
    return found


async def _payment(connection: AsyncConnection, actor: Actor, reference: str) -> Payment:
    found = await store.by_reference(connection, actor, reference)
    if found is None:
        raise NotFound("no_payment", "There is no payment of this number.")
    return found


async def _next_reference(connection: AsyncConnection, bill: Owed, now: int) -> str:
    prefix = f"R{local_day(now, ZoneInfo(bill.zone)):%Y%m%d}-"
    return f"{prefix}{await store.count_of(connection, prefix) + 1:04d}"

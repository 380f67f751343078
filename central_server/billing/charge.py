"""Charges: what is owed and does not come from a meter. Other slices add them; a run puts them on a bill."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, and_, exists, insert, not_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.billing.canonical import canonical_json
from central_server.billing.period import parse_period
from central_server.clock import now_ms
from central_server.schema import bill, bill_line, charge, unit

ChargeKind = Literal["parking", "repair"]
KINDS: tuple[ChargeKind, ...] = ("parking", "repair")


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge as a bill takes it.

    Shape: ``description`` is {"key": a name of words.CHARGES or an N_() text of the caller's, and what goes
    into its {fields}}; ``trace`` may hold "steps": a list of the same shape, keys of words.STEPS, each with
    its "amount_fen". Units: ``amount_fen`` in fen.
    """

    key: str
    unit_id: int
    unit_code: str
    kind: str
    description: Mapping[str, Any]
    amount_fen: int
    period: str
    trace: Mapping[str, Any]


async def add_charge(
    connection: AsyncConnection,
    *,
    key: str,
    site_id: int,
    unit_id: int,
    kind: ChargeKind,
    description: Mapping[str, Any],
    amount_fen: int,
    period: str,
    trace: Mapping[str, Any],
) -> bool:
    """Note in the caller's transaction that a unit owes an amount; False where the key was noted before.

    Shape: ``key`` is the caller's own and the same however often it is tried, such as "order:12" or
    "parking:7:2026-11"; ``description`` and ``trace`` (the evidence) as in Charge, without personal data.
    Units: ``amount_fen`` in fen, above zero. Raises: ValueError for what can never be billed.
    """
    parse_period(period)
    if amount_fen <= 0 or kind not in KINDS or not 0 < len(key) <= 128 or "key" not in description:
        raise ValueError(f"charge '{key}' has no amount above zero, no known kind or no description")
    if await connection.scalar(select(charge.c.id).where(charge.c.key == key)) is not None:
        return False
    await connection.execute(
        insert(charge).values(
            key=key,
            site_id=site_id,
            unit_id=unit_id,
            kind=kind,
            description=canonical_json(description),
            amount_fen=amount_fen,
            period=period,
            trace=canonical_json(trace),
            created_at=now_ms(),
        )
    )
    return True


async def bill_of_charge(connection: AsyncConnection, key: str) -> str | None:
    """Give the number of the bill a charge is on, None as long as it waits."""
    query = select(bill.c.number).join(bill_line, bill_line.c.bill_id == bill.c.id)
    found: str | None = await connection.scalar(query.where(bill_line.c.source_key == key))
    return found


def _waiting(site_id: int, through_period: str) -> ColumnElement[bool]:
    is_billed = exists().where(bill_line.c.source_key == charge.c.key)
    return and_(charge.c.site_id == site_id, charge.c.period <= through_period, not_(is_billed))


def charged_units(site_id: int, through_period: str) -> Select[Any]:
    """Select the units of a site that have charges waiting for a bill."""
    return select(charge.c.unit_id).where(_waiting(site_id, through_period))


async def waiting_charges(connection: AsyncConnection, site_id: int, through_period: str) -> list[Charge]:
    """Give a site's charges of a period or an earlier one that no bill has yet, in the order of their keys."""
    query = (
        select(charge, unit.c.code.label("unit_code"))
        .join(unit, unit.c.id == charge.c.unit_id)
        .where(_waiting(site_id, through_period))
        .order_by(charge.c.period, charge.c.key)
    )
    return [
        Charge(
            key=row.key,
            unit_id=row.unit_id,
            unit_code=row.unit_code,
            kind=row.kind,
            description=json.loads(row.description),
            amount_fen=row.amount_fen,
            period=row.period,
            trace=json.loads(row.trace),
        )
        for row in await connection.execute(query)
    ]

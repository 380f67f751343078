"""What a resident may see of their own: units, bills, and what is known of them. Nothing of anybody else."""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import audit
from central_server.billing import service as billing
from central_server.billing.period import local_day
from central_server.billing.view import BillSummary, BillView
from central_server.clock import now_ms
from central_server.db import Database
from central_server.errors import NotFound
from central_server.portal import store
from central_server.portal.model import PRIVACY, WORDING, Stay, may_see
from central_server.portal.store import Me
from central_server.rbac import Actor
from central_server.records import service as records
from central_server.records.residency import UnitRow


@dataclass(frozen=True, slots=True)
class Home:
    """A unit of somebody's on a day, and since when it was theirs."""

    unit: UnitRow
    stays: tuple[Stay, ...]

    @property
    def is_owner(self) -> bool:
        return any(stay.kind == "owner" for stay in self.stays)


async def homes(connection: AsyncConnection, actor: Actor, on: str) -> list[Home]:
    """Give the units that the actor belongs to on a day."""
    if actor.person_id is None:
        return []
    found = []
    for unit in await records.units_of(connection, actor.person_id, on):
        people = await records.people_of_unit(connection, unit.id, None)
        stays = [Stay(each.kind, each.from_on, each.to_on) for each in people if each.person_id == actor.person_id]
        found.append(Home(unit, tuple(stays)))
    return found


async def own_bills(connection: AsyncConnection, found: Sequence[Home]) -> list[BillSummary]:
    """Give the bills of somebody's homes from the time when they were theirs, newest first."""
    by_unit = {home.unit.id: home for home in found}
    bills = await billing.bills_of_units(connection, list(by_unit))
    return [_own(by_unit[bill.unit_id], bill) for bill in bills if _is_own(by_unit[bill.unit_id], bill)]


async def own_bill(connection: AsyncConnection, actor: Actor, found: Sequence[Home], number: str) -> BillView:
    """Give one of the actor's own bills. Raises: NotFound, also for a bill of somebody else."""
    bill = await billing.get_bill(connection, actor, number)
    if bill is not None:
        for home in found:
            if home.unit.id == bill.summary.unit_id and _is_own(home, bill.summary):
                return BillView(
                    _own(home, bill.summary),
                    bill.building,
                    bill.zone,
                    bill.lines,
                    bill.run_input_hash,
                    bill.run_output_hash,
                )
    raise NotFound("no_bill", "There is no bill of this number.")


def _is_own(home: Home, bill: BillSummary) -> bool:
    zone = ZoneInfo(home.unit.zone)
    last = local_day(max(bill.from_at, bill.through_at - 1), zone)
    return may_see(home.stays, local_day(bill.from_at, zone).isoformat(), last.isoformat())


def _own(home: Home, bill: BillSummary) -> BillSummary:
    """Leave the owner's name out where a tenant reads the bill."""
    return bill if home.is_owner else bill._replace(owner="")


async def about_me(connection: AsyncConnection, actor: Actor) -> tuple[Me, int | None]:
    """Give what the records have of the actor, and since when they agree to it. Raises: NotFound."""
    me = None if actor.person_id is None else await store.me(connection, actor.person_id)
    if me is None or actor.person_id is None:
        raise NotFound("no_person", "This account belongs to nobody of the records. Ask the office.")
    return me, await store.given_at(connection, actor.person_id, PRIVACY, WORDING)


async def name_of(connection: AsyncConnection, actor: Actor) -> str:
    """Give the actor's own name as the records have it; a resident's account is named by a number."""
    me = None if actor.person_id is None else await store.me(connection, actor.person_id)
    return actor.name if me is None else me.name


async def has_agreed(connection: AsyncConnection, actor: Actor) -> bool:
    """Tell whether the actor has agreed to today's wording."""
    if actor.person_id is None:
        return True
    return await store.given_at(connection, actor.person_id, PRIVACY, WORDING) is not None


async def agree(db: Database, actor: Actor, *, is_given: bool) -> None:
    """Note that the actor agrees, or does not any more. Raises: NotFound."""
    async with db.write() as connection:
        _, since = await about_me(connection, actor)
        if actor.person_id is None or is_given == (since is not None):
            return
        if is_given:
            await store.give(connection, actor.person_id, PRIVACY, WORDING, now_ms())
        else:
            await store.withdraw(connection, actor.person_id, PRIVACY, now_ms())
        verb = "agree" if is_given else "withdraw"
        await audit.note(connection, actor, f"consent.{verb}", f"person:{actor.person_id}", wording=WORDING)

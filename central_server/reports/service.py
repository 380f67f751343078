"""Reports' use cases: the figures of some months, for one site or for all that the actor sees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.billing import payment
from central_server.billing.period import Period
from central_server.db import Database
from central_server.errors import NotFound
from central_server.rbac import Actor
from central_server.reports import source
from central_server.reports.model import MEASURES, Facts, Figure

_NOTHING = Facts()


@dataclass(frozen=True, slots=True)
class Report:
    """Figures by measure and month, and of the last month by site.

    Shape: ``rows[measure][i]`` belongs to ``months[i]``; ``sites`` has the names, ``by_site[site][measure]``
    the last month; ``facts`` are those of the last month.
    """

    months: tuple[Period, ...]
    rows: Mapping[str, tuple[Figure, ...]]
    sites: Mapping[str, str]
    by_site: Mapping[str, Mapping[str, Figure]]
    facts: Facts


async def report(db: Database, actor: Actor, months: Sequence[Period], site: str | None = None) -> Report:
    """Give the figures of consecutive months, the newest last.

    Raises: NotFound for a site that the actor does not see.
    """
    async with db.read() as connection:
        seen = [each for each in await source.sites(connection, actor) if site in (None, each.code)]
        if site is not None and not seen:
            raise NotFound("no_site", "There is no such site.")
        found = [[await _facts(connection, actor, each, month) for month in months] for each in seen]
    of_months = [sum((of_site[index] for of_site in found), _NOTHING) for index in range(len(months))]
    return Report(
        months=tuple(months),
        rows={each.key: tuple(each.compute(facts) for facts in of_months) for each in MEASURES},
        sites={each.code: each.name for each in seen},
        by_site={
            each.code: {measure.key: measure.compute(of_site[-1]) for measure in MEASURES}
            for each, of_site in zip(seen, found, strict=True)
        },
        facts=of_months[-1],
    )


def months_until(last: Period, count: int) -> list[Period]:
    """Give so many months, ``last`` being the last of them."""
    index = last.year * 12 + last.month - 1
    return [Period(each // 12, each % 12 + 1) for each in range(index - count + 1, index + 1)]


async def _facts(connection: AsyncConnection, actor: Actor, site: source.Site, month: Period) -> Facts:
    zone = ZoneInfo(site.zone)
    from_at, to_at = month.starts_at(zone), month.ends_at(zone)
    received = await payment.received(connection, site.id, from_at, to_at)
    due = await payment.due(connection, site.id, month.first_day.isoformat(), month.next.first_day.isoformat())
    return Facts(
        repairs=await source.repairs(connection, actor, site.id, from_at, to_at),
        rounds=await source.rounds(connection, actor, site.id, from_at, to_at),
        received_fen=received.whole,
        online_fen=received.part,
        due_fen=due.whole,
        collected_fen=due.part,
    )

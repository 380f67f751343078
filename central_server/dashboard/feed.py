"""What changed lately, as short notes: alarms raised, cleared and acknowledged, bills issued."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from central_server.alarms import service as alarms
from central_server.alarms.store import AlarmRow
from central_server.dashboard import queries, usage, words
from central_server.dashboard.cards import Card
from central_server.dashboard.show import Show
from central_server.db import Database
from central_server.rbac import Actor, Right

_MOST = 9


@dataclass(frozen=True, slots=True)
class Note:
    """One line of the feed; ``priority`` colours what was raised and still lasts."""

    at: int
    kind: str
    priority: int
    subject: str
    text: str
    href: str


async def last_hour(
    db: Database, site_id: int, gateways: Collection[int], cards: Sequence[Card], show: Show, actor: Actor
) -> list[Note]:
    """Give the notes of the last hour, newest first."""
    since = show.now - usage.HOUR_MS
    names = device_names(cards)
    listed = (await alarms.list_alarms(db, actor=actor, is_active=False)).alarms
    notes = [note for row in listed if row.gateway_id in gateways for note in _notes(row, names, show)]
    if not actor.may(Right.ALARMS_SEE):
        notes = []
    async with db.read() as conn:
        for run in await queries.runs_since(conn, site_id, since) if actor.may(Right.BILLS_SEE) else ():
            text = show.language.ngettext("{n} bill for {month} issued", "{n} bills for {month} issued", run.bills)
            said = text.format(n=run.bills, month=show.month(run.period))
            notes.append(Note(run.at, "bills", 0, "", said, f"/bills?period={run.period}"))
    return sorted((note for note in notes if note.at >= since), key=lambda note: -note.at)[:_MOST]


def device_names(cards: Sequence[Card]) -> dict[tuple[int, str], str]:
    """Name devices by (gateway id, subject of an alarm)."""
    return {(card.view.gateway.id, f"device:{card.view.device.code}"): card.name for card in cards}


def subject_name(row: AlarmRow, names: dict[tuple[int, str], str], show: Show) -> str:
    """Name what an alarm is about: the device, the line or the gateway."""
    if row.gateway_id is not None and (row.gateway_id, row.subject) in names:
        return names[row.gateway_id, row.subject]
    kind, _, code = row.subject.partition(":")
    text = {
        "bus": show.language.gettext("line {code}"),
        "gateway": show.language.gettext("gateway {code}"),
        "round": show.language.gettext("round {code}"),
    }.get(kind)
    return text.format(code=code) if text else code or row.subject


def condition_name(condition: str, show: Show) -> str:
    known = words.CONDITIONS.get(condition)
    return show.language.gettext(known.name) if known else condition.replace("_", " ")


def _notes(row: AlarmRow, names: dict[tuple[int, str], str], show: Show) -> list[Note]:
    gettext = show.language.gettext
    name, subject, href = condition_name(row.condition, show), subject_name(row, names, show), f"/alarms/{row.id}"
    found = [Note(row.raised_at, "raised", 0 if row.cleared_at else row.priority, subject, name, href)]
    if row.cleared_at is not None:
        found.append(Note(row.cleared_at, "cleared", 0, subject, gettext("Over: {what}").format(what=name), href))
    if row.acknowledged_at is not None:
        said = gettext("Acknowledged by {who}: {what}").format(who=row.acknowledged_by, what=name)
        found.append(Note(row.acknowledged_at, "acknowledged", 0, subject, said, href))
    return found

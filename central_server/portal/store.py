"""The SQL of the resident's own pages: consent, and what is known of a person."""

from typing import NamedTuple

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.schema import consent, person, vehicle


class Me(NamedTuple):
    """What the records have of a person, in the clear."""

    name: str
    phone: str | None
    id_number: str | None
    plates: tuple[str, ...]


async def me(connection: AsyncConnection, person_id: int) -> Me | None:
    query = select(person.c.name, person.c.phone, person.c.id_number).where(person.c.id == person_id)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    cars = select(vehicle.c.plate).where(vehicle.c.person_id == person_id, vehicle.c.removed_at.is_(None))
    plates = (await connection.scalars(cars.order_by(vehicle.c.id))).all()
    return Me(row.name, row.phone, row.id_number, tuple(plates))


async def given_at(connection: AsyncConnection, person_id: int, kind: str, wording: int) -> int | None:
    """Give since when a person agrees to a wording, None where they do not."""
    query = select(consent.c.given_at).where(
        consent.c.person_id == person_id,
        consent.c.kind == kind,
        consent.c.wording == wording,
        consent.c.withdrawn_at.is_(None),
    )
    found: int | None = await connection.scalar(query.order_by(consent.c.id.desc()).limit(1))
    return found


async def give(connection: AsyncConnection, person_id: int, kind: str, wording: int, at: int) -> None:
    await connection.execute(insert(consent).values(person_id=person_id, kind=kind, wording=wording, given_at=at))


async def withdraw(connection: AsyncConnection, person_id: int, kind: str, at: int) -> None:
    where = (consent.c.person_id == person_id, consent.c.kind == kind, consent.c.withdrawn_at.is_(None))
    await connection.execute(update(consent).where(*where).values(withdrawn_at=at))

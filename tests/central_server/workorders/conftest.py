"""A small estate with people who repair, dispatch and live there."""

import itertools
from dataclasses import dataclass

import pytest
from sqlalchemy import insert, select

from central_server import schema
from central_server.clock import now_ms
from central_server.crypto import blind
from central_server.db import Database
from central_server.rbac import Actor, Role
from central_server.workorders import service
from central_server.workorders.model import Category, Event, Facts, Source, Urgency, replay
from central_server.workorders.store import Order, find

_once = itertools.count(1)


def once() -> str:
    return f"{next(_once):032x}"


@dataclass
class Estate:
    """Site 1 with building 1, unit 1-101 and its owner; people act as whom they are."""

    db: Database
    unit_id: int
    building_id: int
    desk: Actor
    clerk: Actor
    owner: Actor
    neighbour: Actor
    technicians: list[Actor]

    async def order(self, actor: Actor | None = None, **more: object) -> Order:
        """Report a fault in the unit, as its owner where nobody else is named."""
        report = {"category": Category.WATER, "title": "厨房水槽下漏水", "once": once()} | more
        return await service.report_fault(self.db, actor or self.owner, service.FaultReport.model_validate(report))

    async def public(self, urgency: Urgency = Urgency.NORMAL) -> Order:
        """Open an order that is nobody's unit."""
        report = service.Report(1, Source.STAFF, Category.POWER, "楼道灯不亮", urgency)
        return await service.report(self.db, self.desk, report)

    async def now(self, order: Order) -> Order:
        async with self.db.read() as connection:
            found = await find(connection, schema.work_order.c.id == order.id)
        assert found is not None
        return found

    async def replayed(self, order: Order) -> Facts:
        """Compute an order from its events alone."""
        async with self.db.read() as connection:
            entries = await service.events(connection, order.id)
        return replay(Event(each.kind, each.at, each.body) for each in entries)

    async def shift(self, order: Order, **columns: int) -> None:
        """Let an order have been somewhere else in time."""
        async with self.db.write() as connection:
            query = schema.work_order.update().where(schema.work_order.c.id == order.id)
            await connection.execute(query.values(**columns))

    async def count(self, table: str) -> int:
        async with self.db.read() as connection:
            return len((await connection.execute(select(schema.metadata.tables[table]))).all())


async def account(db: Database, login: str, role: Role, person_id: int | None = None) -> Actor:
    values = {"login": login, "name": login, "password_hash": "", "language": "zh", "is_disabled": False}
    async with db.write() as connection:
        key = await connection.execute(
            insert(schema.account).values(
                **values, created_at=now_ms(), role=role.value, site_id=None, person_id=person_id
            )
        )
    assert key.inserted_primary_key
    return Actor(login, login, role, key.inserted_primary_key[0], None, person_id)


async def person(db: Database, code: str, name: str, phone: str) -> int:
    async with db.write() as connection:
        key = await connection.execute(
            insert(schema.person).values(
                code=code,
                name=name,
                name_index=blind(connection, name, "name"),
                phone=phone,
                phone_index=blind(connection, phone, "phone"),
            )
        )
    assert key.inserted_primary_key
    return int(key.inserted_primary_key[0])


@pytest.fixture
async def estate(db: Database) -> Estate:
    async with db.write() as connection:
        await connection.execute(insert(schema.building).values(site_id=1, code="1", name="1 号楼"))
        await connection.execute(insert(schema.unit).values(building_id=1, code="1-101"))
        await connection.execute(insert(schema.unit).values(building_id=1, code="1-102"))
    owners = [await person(db, f"p-{at}", f"业主{at}", f"1380000123{at}") for at in (1, 2)]
    async with db.write() as connection:
        for at, owner in enumerate(owners, start=1):
            await connection.execute(
                insert(schema.ownership).values(unit_id=at, owner_id=owner, from_on="2020-01-01", to_on=None)
            )
    return Estate(
        db,
        1,
        1,
        await account(db, "dispatcher", Role.MANAGER),
        await account(db, "clerk", Role.CLERK),
        await account(db, "owner", Role.RESIDENT, owners[0]),
        await account(db, "neighbour", Role.RESIDENT, owners[1]),
        [await account(db, f"tech-{at}", Role.TECHNICIAN) for at in (1, 2)],
    )

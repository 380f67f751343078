"""A site with two doors at one gateway, and people who have cards."""

from dataclasses import dataclass

import pytest

from central_server.access import service
from central_server.access.entry import GroupForm, NewCard
from central_server.db import Database
from central_server.rbac import Actor, Role
from tests.central_server.neighbours import Neighbours, add, move_in

MANAGER = Actor("manager", "经理", Role.MANAGER)


@dataclass(frozen=True)
class House:
    """Ids: a gateway with the doors north and south, a group of the first, and Li's card for it."""

    people: Neighbours
    gateway: int
    north: int
    south: int
    group: int
    card: int


async def furnish(db: Database, gateway: int) -> House:
    people = await move_in(db)
    described = {"kind": "door", "bus": "b", "profile": "p", "address": "1", "first_seen_at": 0}
    north = await add(db, "device", gateway_id=gateway, code="door-n", name="北门", **described)
    south = await add(db, "device", gateway_id=gateway, code="door-s", name="南门", **described)
    group = await service.save_group(db, MANAGER, None, GroupForm(site_id=1, name="住户", doors=[north]))
    card = await service.enrol(db, MANAGER, NewCard(site_id=1, person="李雷", facility=12, card=345), {group: None})
    return House(people, gateway, north, south, group, card)


@pytest.fixture
async def house(db: Database) -> House:
    gateway = await add(db, "gateway", edge_id="gw-1", site_id=1, name="gw", secret_hash="ab", created_at=0)
    return await furnish(db, gateway)

"""Who belongs to a unit: never twice at a time, ended on a day, and never by somebody of another site."""

from datetime import date

import pytest

from central_server.db import Database
from central_server.errors import NotFound
from central_server.form import Invalid
from central_server.rbac import Actor, Role
from central_server.records import find, people
from central_server.records.entry import MoveIn, MoveOut, PersonForm, VehicleForm
from central_server.records.service import people_of_unit, units_of
from tests.central_server.records.conftest import MANAGER

AT_HILL = Actor("hill", "山居", Role.MANAGER, site_id=3)
OWNED, LET = 1, 2


async def move_in(db: Database, unit_id: int, person: str, kind: str, from_on: str, to_on: str | None = None) -> None:
    form = MoveIn.model_validate({"person": person, "kind": kind, "from_on": from_on, "to_on": to_on})
    await people.move_in(db, MANAGER, unit_id, form)


async def at(db: Database, unit_id: int, on: str) -> list[tuple[str, str]]:
    async with db.read() as connection:
        return [(each.name, each.kind) for each in await people_of_unit(connection, unit_id, on)]


async def test_a_new_owner_ends_the_ownership_before(estate: Database) -> None:
    await move_in(estate, OWNED, "李娜", "owner", "2026-11-01")
    assert await at(estate, OWNED, "2026-10-31") == [("王芳", "owner")]
    assert await at(estate, OWNED, "2026-11-01") == [("李娜", "owner")]


async def test_a_tenancy_ends_on_its_day_and_not_before(estate: Database) -> None:
    assert await at(estate, LET, "2026-11-30") == [("李娜", "tenant")]
    assert await at(estate, LET, "2026-12-01") == []
    async with estate.read() as connection:
        assert [each.code for each in await units_of(connection, 2, "2026-11-30")] == ["1-102"]
        assert await units_of(connection, 2, "2026-12-01") == []


@pytest.mark.parametrize(
    ("unit_id", "person", "kind", "from_on", "field"),
    [
        (LET, "李娜", "occupant", "2026-11-30", "from_on"),
        (LET, "李娜", "tenant", "2025-12-31", "from_on"),
        (OWNED, "王芳", "owner", "2026-11-01", "person"),
        (OWNED, "李娜", "owner", "2020-05-01", "from_on"),
        (OWNED, "nobody", "owner", "2026-11-01", "person"),
    ],
)
async def test_what_cannot_be_is_refused_beside_its_field(
    estate: Database, unit_id: int, person: str, kind: str, from_on: str, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await move_in(estate, unit_id, person, kind, from_on)
    assert list(refused.value.problems) == [field]


async def test_on_the_day_a_tenancy_ends_another_may_begin(estate: Database) -> None:
    await move_in(estate, LET, "o-2", "tenant", "2026-12-01")
    assert await at(estate, LET, "2026-12-01") == [("李娜", "tenant")]


async def test_of_two_of_one_name_the_number_says_which(estate: Database) -> None:
    made = await people.save_person(estate, MANAGER, None, PersonForm(name="王芳"))
    with pytest.raises(Invalid):
        await move_in(estate, LET, "王芳", "owner", "2026-11-01")
    async with estate.read() as connection:
        code = (await people.get_person(connection, MANAGER, made)).code
    await move_in(estate, LET, code, "owner", "2026-11-01")
    assert ("王芳", "owner") in await at(estate, LET, "2026-11-01")


async def test_moving_out_ends_it_and_the_first_day_takes_it_back(estate: Database) -> None:
    ended = await people.move_out(estate, MANAGER, "tenancy", 1, MoveOut(to_on=date(2026, 11, 1)))
    assert ended.unit_id == LET
    assert await at(estate, LET, "2026-11-01") == []
    for day in ("2025-12-31", "2026-11-02"):
        with pytest.raises(Invalid):
            await people.move_out(estate, MANAGER, "tenancy", 1, MoveOut(to_on=date.fromisoformat(day)))
    await people.move_out(estate, MANAGER, "tenancy", 1, MoveOut(to_on=date(2026, 1, 1)))
    async with estate.read() as connection:
        assert await find.belongings(connection, MANAGER, unit_id=LET) == []


async def test_nobody_of_another_site_can_be_ended_or_changed(estate: Database) -> None:
    with pytest.raises(NotFound):
        await people.move_out(estate, AT_HILL, "tenancy", 1, MoveOut(to_on=date(2026, 11, 1)))
    with pytest.raises(NotFound):
        await people.save_person(estate, AT_HILL, 1, PersonForm(name="别人"))
    with pytest.raises(NotFound):
        await people.remove_vehicle(estate, AT_HILL, 1)


async def test_a_phone_left_empty_stays(estate: Database) -> None:
    await people.save_person(estate, MANAGER, 1, PersonForm(name="王芳芳"))
    async with estate.read() as connection:
        found = await people.get_person(connection, MANAGER, 1)
    assert (found.name, found.phone, found.id_number) == ("王芳芳", "13800001234", "11010519491231002X")


async def test_a_plate_stands_once_until_it_is_removed(estate: Database) -> None:
    form = VehicleForm.model_validate({"plate": "京A 12345", "kind": "car"})
    with pytest.raises(Invalid):
        await people.add_vehicle(estate, MANAGER, 1, form)
    assert await people.remove_vehicle(estate, MANAGER, 1) == 2
    await people.add_vehicle(estate, MANAGER, 1, form)

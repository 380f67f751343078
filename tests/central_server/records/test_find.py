"""Units and people are found by what somebody at a desk says, and only by the whole of it."""

import pytest

from central_server.db import Database
from central_server.rbac import Actor, Role
from central_server.records import find
from central_server.records.find import Wanted
from tests.central_server.records.conftest import MANAGER

ON = "2026-11-23"
AT_HILL = Actor("hill", "山居", Role.MANAGER, site_id=3)


async def units(db: Database, search: str = "", actor: Actor = MANAGER, on: str = ON, **more: object) -> list[str]:
    async with db.read() as connection:
        total, hits = await find.units(connection, actor, Wanted(on, search, **more), 50)  # type: ignore[arg-type]
    assert total == len(hits)
    return [f"{hit.site} {hit.code} {hit.owner or '-'}" for hit in hits]


LET = ["公园里 1-102 -"]
OWNED = ["公园里 1-101 王芳"]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("王芳", OWNED),
        ("1380000 1234", OWNED),
        ("1234", ["山居 1-101 张伟", *OWNED]),
        ("5678", LET),
        ("京a12345", LET),
        ("102", LET),
        ("1/1-102", LET),
        ("王", []),
        ("138", []),
        ("京A", []),
        ("%", []),
    ],
)
async def test_a_unit_is_found(estate: Database, search: str, found: list[str]) -> None:
    assert await units(estate, search) == found


async def test_who_has_moved_out_leads_nowhere(estate: Database) -> None:
    assert await units(estate, "李娜", on="2026-11-30") == LET
    assert await units(estate, "李娜", on="2026-12-01") == []


async def test_filters_and_order(estate: Database) -> None:
    assert await units(estate, state="let") == LET
    assert await units(estate, state="no_owner") == LET
    assert await units(estate, state="owned", sort="-area") == ["公园里 1-101 王芳", "山居 1-101 张伟"]
    assert await units(estate, site_id=3) == ["山居 1-101 张伟"]


async def test_another_site_is_not_there(estate: Database) -> None:
    assert await units(estate, "", AT_HILL) == ["山居 1-101 张伟"]
    assert await units(estate, "王芳", AT_HILL) == []
    async with estate.read() as connection:
        assert await find.one_unit(connection, AT_HILL, 1) is None
        assert [row.name for row in (await find.people(connection, AT_HILL, "", 50))[1]] == ["张伟"]
        assert (await find.equipments(connection, AT_HILL))[0] == 0
        assert await find.one_person(connection, AT_HILL, 1) is None


async def test_a_person_is_found_by_plate_number_or_code(estate: Database) -> None:
    async with estate.read() as connection:
        for search, found in (("京A12345", "李娜"), ("O-2", "李娜"), ("13911115678", "李娜"), ("5678", "李娜")):
            assert [row.name for row in (await find.people(connection, MANAGER, search, 50))[1]] == [found]

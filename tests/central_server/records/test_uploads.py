"""A workbook is looked at without a change, and brought in exactly as it was looked at."""

from typing import Any

import pytest
from sqlalchemy import select

from central_server import auth, schema
from central_server.dashboard.i18n import languages
from central_server.db import Database
from central_server.errors import Conflict, NotFound
from central_server.rbac import Actor, Role, system
from central_server.records import export, uploads, workbook
from central_server.records.refusal import english

ZH = languages()["zh"]


async def somebody(db: Database, login: str, **more: Any) -> Actor:
    await auth.add_account(db, login, login, "zh", "correct horse 7", Role.MANAGER, actor=system("test"))
    session = await auth.sign_in(db, login, "correct horse 7", "127.0.0.1")
    view = await auth.session_for(db, session.token)
    assert view is not None
    actor = view.actor("127.0.0.1")
    return Actor(actor.login, actor.name, actor.role, actor.account_id, **more)


async def tables(db: Database) -> dict[str, list[Any]]:
    names = set(schema.metadata.tables) - {"audit", "workbook"}
    async with db.read() as connection:
        return {name: list(await connection.execute(select(schema.metadata.tables[name]))) for name in names}


def body(**rows: Any) -> bytes:
    return workbook.write(ZH, rows)


NEW = {
    "building": [("park", "2", "2 号楼")],
    "owner": [("o-1", "王芳芳", None, None), ("P9", "陈静", "13600000009", None)],
    "unit": [("park", "2", "2-101", "88.8", "P9", "2026-10-01"), ("park", "1", "1-101", None, "o-1", None)],
    "equipment": [("park", "LIFT-1", "1 号电梯", "lift", "1", "顶层机房", None)],
}


async def test_a_look_tells_the_difference_and_changes_nothing(estate: Database) -> None:
    actor = await somebody(estate, "a")
    key = await uploads.keep(estate, actor, "新.xlsx", body(**NEW))
    before = await tables(estate)
    look = await uploads.look(estate, actor, key)
    assert look.outcome is not None
    assert look.outcome.tables == {
        "building": {"added": 1},
        "owner": {"changed": 1, "added": 1},
        "unit": {"added": 1, "same": 1},
        "ownership": {"added": 1, "same": 1},
        "equipment": {"changed": 1},
    }
    assert [(each.label, each.columns) for each in look.outcome.changes] == [("o-1", ("name",)), ("LIFT-1", ("place",))]
    assert await tables(estate) == before


async def test_what_was_looked_at_is_brought_in_once(estate: Database) -> None:
    actor = await somebody(estate, "a")
    key = await uploads.keep(estate, actor, "新.xlsx", body(**NEW))
    look = await uploads.look(estate, actor, key)
    assert look.outcome is not None
    assert (await uploads.apply(estate, actor, key, look.digest)).tables == look.outcome.tables
    after = await tables(estate)
    with pytest.raises(Conflict):
        await uploads.apply(estate, actor, key, look.digest)
    async with estate.read() as connection:
        (row,) = await connection.execute(select(schema.workbook))
    assert (row.body, row.digest) == ("", look.digest), "the hash is kept, the personal data is not"
    again = await uploads.look(estate, actor, await uploads.keep(estate, actor, "新.xlsx", body(**NEW)))
    assert again.outcome is not None
    assert all(set(counts) == {"same"} for counts in again.outcome.tables.values())
    assert await tables(estate) == after


async def test_everything_faulty_is_told_by_its_cell_and_nothing_is_brought_in(estate: Database) -> None:
    actor = await somebody(estate, "a")
    rows = {
        "owner": [("P9", "陈静", "no phone", None)],
        "unit": [("park", "9", "9-101", None, "P9", "2026-10-01"), ("park", "1", "1-102", None, "P9", None)],
        "tenancy": [("park", "1", "1-102", "o-2", "tenant", "2026-11-01", None), ("park", "1", "1-103", "o-2", "tenant", "2026-11-01", None)],
    }  # fmt: skip
    key = await uploads.keep(estate, actor, "错.xlsx", body(**rows))
    look = await uploads.look(estate, actor, key)
    assert [f"{each.sheet}!{each.cell} {english(each.problem)}" for each in look.faults] == [
        "人员!C2 This is no phone number: 7 to 15 digits, such as 13800001234.",
        "房屋!B2 there is no building '9'",
        "住户!F2 this person lives in the unit at that time already",
        "住户!C3 there is no unit '1-103'",
    ]
    assert english(look.faults[-1].remedy) == "Did you mean '1-102'?"
    before = await tables(estate)
    with pytest.raises(Conflict):
        await uploads.apply(estate, actor, key, look.digest)
    assert await tables(estate) == before


async def test_another_digest_or_another_person_gets_nowhere(estate: Database) -> None:
    actor, other = await somebody(estate, "a"), await somebody(estate, "b")
    key = await uploads.keep(estate, actor, "新.xlsx", body(**NEW))
    with pytest.raises(Conflict):
        await uploads.apply(estate, actor, key, "0" * 64)
    with pytest.raises(NotFound):
        await uploads.look(estate, other, key)


async def test_an_account_of_one_site_can_touch_no_other(estate: Database) -> None:
    actor = await somebody(estate, "a", site_id=3)
    rows = {"building": [("park", "2", "2 号楼")], "owner": [("o-1", "王芳芳", None, None)]}
    look = await uploads.look(estate, actor, await uploads.keep(estate, actor, "x.xlsx", body(**rows)))
    assert [english(each.problem) for each in look.faults] == ["there is no site 'park'", "the number 'o-1' is taken"]


async def test_everything_can_be_taken_out_and_brought_in_again_without_a_change(estate: Database) -> None:
    actor = await somebody(estate, "a")
    rows = await export.rows(estate, actor, "测试")
    look = await uploads.look(estate, actor, await uploads.keep(estate, actor, "all.xlsx", body(**rows)))
    assert look.faults == ()
    assert look.outcome is not None
    assert all(set(counts) == {"same"} for counts in look.outcome.tables.values())
    assert set(look.outcome.tables) == {"building", "owner", "unit", "ownership", "tenancy", "vehicle", "equipment"}

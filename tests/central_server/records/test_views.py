"""The records' pages as people meet them: masked, scoped, refusing beside the field."""

import io
import re
from typing import Any

import aiohttp
import pytest
from openpyxl import load_workbook

from central_server import auth
from central_server.dashboard.i18n import languages
from central_server.rbac import Right, Role
from central_server.records import views, workbook
from central_server.records.model import read_records
from central_server.records.service import import_records
from tests.central_server.conftest import Centre
from tests.central_server.records.conftest import ESTATE


@pytest.fixture
async def desk(centre: Centre) -> auth.Session:
    """Somebody who may edit the records of the small estate."""
    await import_records(centre.db, read_records(ESTATE, "estate.toml"), [])
    return await centre.signed_in("desk", Role.MANAGER)


async def get(centre: Centre, session: auth.Session, path: str) -> tuple[int, str]:
    answer = await centre.ask("GET", path, token=session.token)
    return answer.status, answer.text


async def post(centre: Centre, session: auth.Session, path: str, **fields: str) -> tuple[int, str, str]:
    answer = await centre.ask("POST", path, token=session.token, data={"csrf": session.view.csrf} | fields)
    return answer.status, answer.headers.get("Location", ""), answer.text


def test_what_changes_the_records_asks_for_more_than_seeing_them() -> None:
    changing = {route.policy for route in views.routes() if route.method == "POST"}
    assert changing == {Right.RECORDS_EDIT, Right.RECORDS_REVEAL}
    assert {route.policy for route in views.routes()} - changing == {Right.RECORDS_SEE}


async def test_the_list_and_a_unit_show_who_belongs_to_it_and_no_whole_number(
    centre: Centre, desk: auth.Session
) -> None:
    status, listed = await get(centre, desk, "/records?q=1234")
    assert status == 200
    assert "王芳" in listed
    assert "张伟" in listed
    assert "1-102" not in listed
    for tab in ("people", "meters", "bills", "orders", "vehicles", "history"):
        status, shown = await get(centre, desk, f"/records/units/1?tab={tab}")
        assert status == 200
        assert "13800001234" not in shown
    assert "138****1234" in (await get(centre, desk, "/records/units/1"))[1]


async def test_a_number_is_shown_whole_for_a_reason_that_the_audit_keeps(centre: Centre, desk: auth.Session) -> None:
    _, masked = await get(centre, desk, "/records/people/1")
    assert "138****1234" in masked
    assert "11010519491231002X" not in masked
    status, _, refused = await post(centre, desk, "/records/people/1/reveal", reason="  x ")
    assert status == 422
    assert "13800001234" not in refused
    assert 'value="x"' in refused
    status, _, shown = await post(centre, desk, "/records/people/1/reveal", reason="就漏水回电")
    assert status == 200
    assert "13800001234" in shown
    (note,) = [row for row in await centre.rows("audit") if row.action == "records.reveal"]
    assert (note.login, note.subject) == ("desk", "person:1")
    assert "就漏水回电" in note.detail
    assert "13800001234" not in note.detail


REFUSED: list[tuple[str, dict[str, str], str]] = [
    ("/records/units/new", {"building": "1", "code": "1-101"}, "code"),
    ("/records/units/new", {"building": "99", "code": "9-999"}, "building"),
    ("/records/units/new", {"building": "1", "code": "9-999", "area_m2": "viel"}, "area_m2"),
    ("/records/people/new", {"name": "赵敏", "phone": "call me"}, "phone"),
    ("/records/people/new", {"name": "赵敏", "code": "o-1"}, "code"),
    ("/records/people/1/vehicles/new", {"plate": "京A12345", "kind": "car"}, "plate"),
    ("/records/people/1/vehicles/new", {"plate": "京B12345", "kind": "tank"}, "kind"),
    ("/records/units/2/people/new", {"person": "谁", "kind": "tenant", "from_on": "2026-11-23"}, "person"),
    ("/records/tenancies/1/end", {"to_on": "2020-01-01"}, "to_on"),
    ("/records/equipment/new", {"site": "2", "code": "LIFT-1", "name": "二号", "kind": "lift"}, "code"),
    (
        "/records/equipment/new",
        {"site": "3", "building": "1", "code": "L", "name": "L", "kind": "lift"},
        "building",
    ),
    ("/records/sites/new", {"code": "x", "name": "新", "zone": "Mars/Phobos"}, "zone"),
    ("/records/buildings/new", {"site": "2", "code": "1", "name": "又一栋"}, "code"),
]


async def test_a_form_says_beside_the_field_what_is_wrong_and_keeps_what_was_typed(
    centre: Centre, desk: auth.Session
) -> None:
    before = {name: await centre.rows(name) for name in ("unit", "person", "vehicle", "tenancy", "equipment", "site")}
    for path, fields, field in REFUSED:
        status, _, text = await post(centre, desk, path, **fields)
        assert status == 422, (path, fields)
        assert re.search(rf'id="f-{field}"[^>]*aria-invalid="true"', text), (path, fields)
        for name, value in fields.items():
            if name not in ("kind", "building", "site"):
                assert f'name="{name}" value="{value}"' in text, (path, name)
    assert before == {name: await centre.rows(name) for name in before}


DONE: list[tuple[str, dict[str, str]]] = [
    ("/records/units/new", {"building": "1", "code": "1-103", "area_m2": "88.5"}),
    ("/records/units/1/edit", {"code": "1-101A", "area_m2": "97.5"}),
    ("/records/people/new", {"name": "赵敏", "phone": "13500000001"}),
    ("/records/people/1/edit", {"name": "王芳", "code": "o-1"}),
    ("/records/people/1/vehicles/new", {"plate": "京B12345", "kind": "car", "unit": "1"}),
    ("/records/units/2/people/new", {"person": "o-1", "kind": "owner", "from_on": "2026-11-23"}),
    ("/records/tenancies/1/end", {"to_on": "2026-11-23"}),
    ("/records/ownerships/1/end", {"to_on": "2026-11-23"}),
    ("/records/equipment/new", {"site": "2", "building": "1", "code": "L2", "name": "二号", "kind": "lift"}),
    ("/records/equipment/1/edit", {"code": "LIFT-1", "name": "一号", "kind": "lift", "is_retired": "1"}),
    ("/records/sites/new", {"code": "x", "name": "新", "zone": "Asia/Shanghai"}),
    ("/records/sites/2/edit", {"code": "park", "name": "公园里二期", "zone": "Asia/Shanghai"}),
    ("/records/buildings/new", {"site": "2", "code": "2", "name": "二号楼"}),
    ("/records/buildings/1/edit", {"code": "1", "name": "一号楼"}),
    ("/records/vehicles/1/remove", {}),
]


async def test_a_form_is_shown_and_what_it_says_is_done_and_audited(centre: Centre, desk: auth.Session) -> None:
    for path, fields in DONE:
        if not path.endswith("/remove"):
            assert (await get(centre, desk, path))[0] == 200, path
        before = len(await centre.rows("audit"))
        status, where, _ = await post(centre, desk, path, **fields)
        assert status == 303, (path, fields)
        assert (await get(centre, desk, where))[0] == 200, where
        assert len(await centre.rows("audit")) > before, "a change without its entry in the audit"
    details = " ".join(row.detail for row in await centre.rows("audit") if row.login == "desk")
    assert not any(personal in details for personal in ("13500000001", "13800001234", "赵敏", "京B"))


async def test_another_site_is_not_there(centre: Centre, desk: auth.Session) -> None:
    hill = await centre.signed_in("hill", Role.MANAGER, site_id=3)
    for path in (
        "/records/units/1",
        "/records/units/1/edit",
        "/records/people/1",
        "/records/equipment/1",
        "/records/sites/2/edit",
        "/records/buildings/1/edit",
        "/records/tenancies/1/end",
        "/records/units/99999999999999999999",
    ):
        assert (await get(centre, hill, path))[0] == 404, path
    assert (await post(centre, hill, "/records/people/1/reveal", reason="neugierig"))[0] == 404
    assert (await post(centre, hill, "/records/sites/new", code="y", name="y", zone="Asia/Shanghai"))[0] == 404
    assert "王芳" not in (await get(centre, hill, "/records/units.csv"))[1]
    assert "张伟" in (await get(centre, hill, "/records/units.csv"))[1]


async def test_who_may_only_look_changes_nothing(centre: Centre, desk: auth.Session) -> None:
    auditor = await centre.signed_in("auditor", Role.AUDITOR)
    status, text = await get(centre, auditor, "/records/people/1")
    assert status == 200
    assert "/edit" not in text
    assert "/reveal" not in text
    for path in ("/records/people/1/reveal", "/records/export", "/records/units/1/edit", "/records/import"):
        assert (await post(centre, auditor, path, reason="just so"))[0] == 403
    inspector = await centre.signed_in("inspector", Role.INSPECTOR)
    assert (await get(centre, inspector, "/records"))[0] == 403


async def test_the_csv_file_runs_no_formula(centre: Centre, desk: auth.Session) -> None:
    await post(centre, desk, "/records/people/1/edit", name="=cmd|'/c calc'!A1", code="o-1")
    _, text = await get(centre, desk, "/records/units.csv")
    assert "'=cmd" in text
    assert ",=cmd" not in text


async def sent(centre: Centre, session: auth.Session, body: bytes) -> Any:
    form = aiohttp.FormData()
    form.add_field("csrf", session.view.csrf)
    form.add_field("file", body, filename="新.xlsx")
    return await centre.ask("POST", "/records/import", token=session.token, data=form)


async def test_a_workbook_goes_from_template_to_records(centre: Centre, desk: auth.Session) -> None:
    template = await centre.client.get(
        centre.url + "/records/import/template.xlsx", headers={"Cookie": f"gatehouse_session={desk.token}"}
    )
    book = load_workbook(io.BytesIO(await template.read()))
    book["楼栋"].append(["park", "7", "7 号楼"])
    book["房屋"].append(["park", "7", "7-101", "88.8"])
    body = io.BytesIO()
    book.save(body)
    answer = await sent(centre, desk, body.getvalue())
    assert answer.status == 303
    where = answer.headers["Location"]
    status, look = await get(centre, desk, where)
    assert status == 200
    assert len(await centre.rows("unit")) == 3, "nothing is written before it is confirmed"
    digest = re.search(r'name="digest" value="(\w+)"', look)
    assert digest
    assert (await post(centre, desk, where, digest=digest[1]))[0] == 303
    assert (await get(centre, desk, where))[0] == 200
    assert "7-101" in (await get(centre, desk, "/records"))[1]


async def test_a_faulty_workbook_shows_its_cells(centre: Centre, desk: auth.Session) -> None:
    body = workbook.write(languages()["zh"], {"unit": [("park", "9", "9-101", None, None, None)]})
    status, text = await get(centre, desk, (await sent(centre, desk, body)).headers["Location"])
    assert status == 422
    assert "B2" in text
    assert "没有楼栋“9”" in text
    refused = await sent(centre, desk, b"no workbook")
    assert refused.status == 422
    assert 'aria-invalid="true"' in refused.text


async def test_everything_is_taken_out_for_a_reason_only(centre: Centre, desk: auth.Session) -> None:
    assert (await post(centre, desk, "/records/export", reason=""))[0] == 422
    answer = await centre.client.post(
        centre.url + "/records/export",
        data={"csrf": desk.view.csrf, "reason": "年度核对"},
        headers={"Cookie": f"gatehouse_session={desk.token}"},
    )
    assert [row[0].value for row in load_workbook(io.BytesIO(await answer.read()))["人员"].rows][1:] == ["o-1", "o-2", "o-3"]  # fmt: skip
    assert [row.action for row in await centre.rows("audit")][-1] == "records.export"

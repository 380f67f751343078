"""The pages of accounts, of the audit and of one's own account, as a browser meets them."""

import csv
import io
import re
from typing import Any

import pytest
from sqlalchemy import insert

from central_server import audit, auth
from central_server.crypto import blind
from central_server.rbac import Actor, Role
from central_server.schema import building, ownership, person, site, unit
from scripts.roles import Visitor
from tests.central_server.conftest import Answer, Centre
from tests.central_server.matrix import visitor

NEW = {"name": "王丽", "login": "wang.li", "role": "guard", "site": "1", "language": "en"}


@pytest.fixture
async def boss(centre: Centre, monkeypatch: pytest.MonkeyPatch) -> Visitor:
    monkeypatch.setattr(auth, "throttle", auth.Throttle())
    async with centre.db.write() as connection:
        await connection.execute(insert(site).values(code="hill", name="翠岭", zone="Asia/Shanghai"))
    return await visitor(centre.db, Role.ADMINISTRATOR)


async def send(centre: Centre, who: Visitor, path: str, **fields: str) -> Answer:
    return await centre.ask("POST", path, token=who.token, data={"csrf": who.csrf, **fields})


def shown(answer: Answer, name: str) -> str:
    found = re.search(rf'id="{name}">([^<]+)<', answer.text)
    assert found, answer.text
    return found[1]


async def test_a_secret_is_shown_once_and_leads_to_a_password_of_ones_own(centre: Centre, boss: Visitor) -> None:
    made = await send(centre, boss, "/accounts/new", **NEW)
    secret = shown(made, "secret")
    for path in ("/accounts", "/accounts/2", "/audit"):
        assert secret not in (await centre.ask("GET", path, token=boss.token)).text
    session = await auth.sign_in(centre.db, "wang.li", secret, "127.0.0.1")
    me = Visitor(Role.GUARD, session.token, session.view.csrf)
    for path in ("/", "/alarms", "/me", "/live"):
        answer = await centre.ask("GET", path, token=me.token)
        assert (answer.status, answer.headers["Location"]) == (303, "/me/password"), path
    wrong = await send(centre, me, "/me/password", current=secret, new="password1", again="password1")
    assert wrong.status == 422
    assert "first that somebody would try" in wrong.text
    assert "password1" not in wrong.text, "what was typed for a password is not sent back"
    blank = "moss on granite "
    right = await send(centre, me, "/me/password", current=secret, new=blank, again=blank)
    assert right.headers["Location"] == "/"
    assert (await centre.ask("GET", "/alarms", token=me.token)).status == 200
    await auth.sign_in(centre.db, "wang.li", blank, "127.0.0.1")


async def test_a_form_that_is_refused_keeps_what_was_typed_beside_what_is_wrong(centre: Centre, boss: Visitor) -> None:
    answer = await send(centre, boss, "/accounts/new", **(NEW | {"login": "wang li", "site": ""}))
    assert answer.status == 422
    assert 'value="wang li"' in answer.text
    assert 'value="王丽"' in answer.text
    assert 'href="#f-login"' in answer.text
    assert 'href="#f-site"' in answer.text, "nobody is let in everywhere by leaving a field alone"
    assert '<option value="guard" selected>' in answer.text


async def test_who_is_shut_out_sees_the_sign_in_at_the_next_click(centre: Centre, boss: Visitor) -> None:
    guard = await visitor(centre.db, Role.GUARD)
    assert (await centre.ask("GET", "/alarms", token=guard.token)).status == 200
    assert (await send(centre, boss, "/accounts/2/disable")).status == 303
    assert (await centre.ask("GET", "/alarms", token=guard.token)).headers["Location"].startswith("/sign-in")
    assert "Shut" in (await centre.ask("GET", "/accounts/2", token=boss.token)).text


async def test_the_last_administrator_is_told_why_the_account_stays_open(centre: Centre, boss: Visitor) -> None:
    answer = await send(centre, boss, "/accounts/1/disable")
    assert answer.status == 409
    assert "last administrator" in answer.text


async def test_an_account_of_another_site_is_not_there(centre: Centre, boss: Visitor) -> None:
    near = await visitor(centre.db, Role.ADMINISTRATOR, site_id=1)
    await visitor(centre.db, Role.GUARD, site_id=2)
    assert (await centre.ask("GET", "/accounts/3", token=near.token)).status == 404
    for verb in ("", "/disable", "/enable", "/reset", "/end-sessions"):
        assert (await send(centre, near, f"/accounts/3{verb}", **NEW)).status == 404, verb
    assert "guard-2" not in (await centre.ask("GET", "/accounts", token=near.token)).text


async def test_an_auditor_reads_accounts_and_finds_no_button(centre: Centre, boss: Visitor) -> None:
    auditor = await visitor(centre.db, Role.AUDITOR)
    text = (await centre.ask("GET", "/accounts/1", token=auditor.token)).text
    main = text[text.index("<main") : text.index("</main>")]
    assert "<form" not in main
    assert (await centre.ask("GET", "/audit", token=auditor.token)).status == 200


async def test_the_audit_is_found_by_who_what_whom_and_when(centre: Centre, boss: Visitor) -> None:
    ann = Actor("ann", "Ann", Role.GUARD)
    async with centre.db.write() as connection:
        for number in range(60):
            await audit.note(connection, ann, "orders.assign", f"order:{number}")
        await audit.note(connection, Actor("bob", "Bob", None), "codes.send", "account:P-1", outcome="failed")

    async def rows(query: str) -> int:
        text = (await centre.ask("GET", f"/audit?{query}", token=boss.token)).text
        return text.count('<td class="nowrap muted">')

    assert await rows("") == 50
    assert await rows("page=2") == 11
    assert await rows("who=bob") == 1
    assert await rows("action=codes") == 1
    assert await rows("action=orders.assign&subject=order:59") == 1
    assert await rows("outcome=failed") == 1
    assert await rows("from=2000-01-01&to=2000-12-31") == 0
    assert await rows("from=2000-01-01") == 50
    assert await rows("from=nonsense&outcome=x") == 50


async def test_the_audits_page_says_when_the_chain_is_broken(centre: Centre, boss: Visitor) -> None:
    async with centre.db.write() as connection:
        for number in range(5):
            await audit.note(connection, Actor("ann", "", None), "orders.assign", f"order:{number}")
    assert "All 5 entries fit" in (await centre.ask("GET", "/audit?verify=1", token=boss.token)).text
    async with centre.db.write() as connection:
        await connection.exec_driver_sql("DELETE FROM audit WHERE id = 3")
    assert "Entry 4 does not fit" in (await centre.ask("GET", "/audit?verify=1", token=boss.token)).text


async def test_a_file_of_the_audit_runs_no_formula_and_is_noted_itself(centre: Centre, boss: Visitor) -> None:
    async with centre.db.write() as connection:
        await audit.note(connection, Actor("=cmd|' /C calc'!A0", "", None), "orders.assign", '@SUM(1+1)"')
    answer = await centre.ask("GET", "/audit.csv", token=boss.token)
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="audit-')
    head, first, second = csv.reader(io.StringIO(answer.text.removeprefix("\ufeff")))
    assert head[2] == "login"
    assert (first[2], first[6]) == ("'=cmd|' /C calc'!A0", "'@SUM(1+1)\"")
    assert second[5] == "audit.export"


async def test_an_auditor_of_a_site_reads_what_its_people_did(centre: Centre, boss: Visitor) -> None:
    auditor = await visitor(centre.db, Role.AUDITOR, site_id=1)
    guards = [await visitor(centre.db, Role.GUARD, site_id=key) for key in (1, 2)]
    for guard in guards:
        await centre.ask("GET", "/audit", token=guard.token)
    text = (await centre.ask("GET", "/audit", token=auditor.token)).text
    assert "guard-1" in text
    assert "guard-2" not in text


async def resident(centre: Centre) -> None:
    async with centre.db.write() as connection:
        await connection.execute(insert(building).values(id=1, site_id=1, code="1", name="1"))
        await connection.execute(insert(unit).values(id=1, building_id=1, code="101"))
        known: dict[str, Any] = {
            "name": "王芳",
            "name_index": "",
            "phone_index": blind(connection, "13800000001", "phone"),
        }
        await connection.execute(insert(person).values(id=1, code="P-1", phone="13800000001", **known))
        await connection.execute(insert(ownership).values(unit_id=1, owner_id=1, from_on="2020-01-01"))


async def test_a_resident_signs_in_with_a_code_from_the_desk(centre: Centre, boss: Visitor) -> None:
    await resident(centre)
    assert "王芳" in (await centre.ask("GET", "/codes/1", token=boss.token)).text
    code = shown(await send(centre, boss, "/codes/1"), "code").replace(" ", "")
    fields = {"who": "138 0000 0001", "code": code, "next": "/home/bills"}
    answer = await centre.ask("POST", "/sign-in/code", data=fields)
    assert (answer.status, answer.headers["Location"]) == (303, "/home/bills")
    cookie = answer.headers["Set-Cookie"]
    assert "Max-Age=2592000" in cookie
    assert "HttpOnly" in cookie


async def test_a_stranger_learns_nothing_of_who_lives_here(centre: Centre, boss: Visitor) -> None:
    await resident(centre)
    for path, fields in (("/sign-in/code/send", {}), ("/sign-in/code", {"code": "000000"})):
        known = await centre.ask("POST", path, data={"who": "13800000001", **fields})
        unknown = await centre.ask("POST", path, data={"who": "13900000009", **fields})
        texts = {re.sub(r"13[89]00000\d+|gatehouse-now\" content=\"\d+", "", each.text) for each in (known, unknown)}
        assert (known.status, len(texts)) == (unknown.status, 1), path


async def test_ones_own_page_shows_where_one_is_signed_in_and_ends_it_elsewhere(centre: Centre, boss: Visitor) -> None:
    text = (await centre.ask("GET", "/me", token=boss.token)).text
    assert "Here" in text
    assert "Sign out everywhere else" not in text
    assert (await send(centre, boss, "/me/end-others")).status == 303
    assert (await centre.ask("GET", "/me", token=boss.token)).status == 200

"""Accounts as those who look after them change them."""

from dataclasses import replace
from typing import Any

import pytest

from central_server import audit, auth
from central_server.admin import service
from central_server.admin.model import ChangedAccount, NewAccount, OwnPassword, Wanted
from central_server.db import Database
from central_server.errors import BadRequest, Conflict, NotFound
from central_server.form import Invalid
from central_server.rbac import Actor, Role

PEER = "192.0.2.1"
NEW: dict[str, Any] = {"login": "wang.li", "name": "王丽", "role": Role.MANAGER, "site": "1", "language": "zh"}


async def opened(db: Database, boss: Actor, **more: Any) -> Any:
    return await service.open_account(db, boss, NewAccount.model_validate({**NEW, **more}))


async def actions(db: Database) -> list[tuple[str, str]]:
    async with db.read() as connection:
        rows = await connection.exec_driver_sql("SELECT action, outcome FROM audit ORDER BY id")
        return [tuple(row) for row in rows]  # type: ignore[misc]  # two columns


async def test_a_new_account_opens_with_the_password_handed_over_and_must_change_it(
    estate: Database, boss: Actor
) -> None:
    made = await opened(estate, boss)
    session = await auth.sign_in(estate, "wang.li", made.secret, PEER)
    assert (session.view.must_change, session.view.site_id, session.view.role) == (True, 1, Role.MANAGER)
    actor = session.view.actor(PEER)
    wanted = OwnPassword(current=made.secret, new="moss on granite", again="moss on granite")
    await service.change_own_password(estate, actor, session.view.session_id, wanted)
    found = await auth.session_for(estate, session.token)
    assert found is not None, "the session in which it was changed goes on"
    assert not found.must_change
    with pytest.raises(BadRequest):
        await auth.sign_in(estate, "wang.li", made.secret, PEER)
    assert [name for name, _ in await actions(estate)] == [
        "accounts.add",
        "accounts.sign_in",
        "accounts.password",
        "accounts.sign_in",
    ]
    assert (await audit.verify(estate)).broken_id is None


async def test_a_password_that_was_not_used_within_a_day_opens_nothing(
    estate: Database, boss: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await opened(estate, boss)
    late = auth.now_ms() + auth.SECRET_MS + 1
    monkeypatch.setattr(auth, "now_ms", lambda: late)
    with pytest.raises(BadRequest, match="not right"):
        await auth.sign_in(estate, "wang.li", made.secret, PEER)


async def test_a_shut_account_is_signed_out_at_once_and_can_be_opened_again(estate: Database, boss: Actor) -> None:
    made = await opened(estate, boss)
    token = (await auth.sign_in(estate, "wang.li", made.secret, PEER)).token
    await service.set_disabled(estate, boss, made.id, is_disabled=True)
    assert await auth.session_for(estate, token) is None
    await service.set_disabled(estate, boss, made.id, is_disabled=False)
    assert await auth.session_for(estate, token) is None, "a session that ended stays ended"
    await auth.sign_in(estate, "wang.li", made.secret, PEER)


async def test_a_new_role_holds_from_the_next_request(estate: Database, boss: Actor) -> None:
    made = await opened(estate, boss)
    token = (await auth.sign_in(estate, "wang.li", made.secret, PEER)).token
    changed = ChangedAccount.model_validate({**NEW, "role": "guard", "site": "2"})
    await service.change_account(estate, boss, made.id, changed)
    found = await auth.session_for(estate, token)
    assert found is not None
    assert (found.role, found.site_id) == (Role.GUARD, 2)


@pytest.mark.parametrize("change", [{"role": "manager", "site": "every"}, {"role": "administrator", "site": "1"}])
async def test_the_last_administrator_stays_one(estate: Database, boss: Actor, change: dict[str, str]) -> None:
    own = boss.account_id or 0
    wanted = ChangedAccount.model_validate({**NEW, **change})
    with pytest.raises(Invalid) as caught:
        await service.change_account(estate, boss, own, wanted)
    assert set(caught.value.problems) == {"site" if change["role"] == "administrator" else "role"}
    with pytest.raises(Conflict):
        await service.set_disabled(estate, boss, own, is_disabled=True)
    await opened(estate, boss, role="administrator", site="every")
    await service.change_account(estate, boss, own, wanted)


async def test_whoever_is_kept_to_a_site_looks_after_its_accounts_alone(estate: Database, boss: Actor) -> None:
    near = replace(boss, login="near", site_id=1)
    far = await opened(estate, boss, login="far.away", site="2")
    for call in (
        service.get_account(estate, near, far.id),
        service.get_account(estate, near, boss.account_id or 0),
        service.set_disabled(estate, near, far.id, is_disabled=True),
        service.reset_password(estate, near, far.id),
        service.end_sessions(estate, near, far.id),
        service.change_account(estate, near, far.id, ChangedAccount.model_validate(NEW)),
    ):
        with pytest.raises(NotFound):
            await call
    for site in ("2", "every"):
        with pytest.raises(Invalid) as caught:
            await opened(estate, near, login="mine", site=site)
        assert set(caught.value.problems) == {"site"}
    await opened(estate, near)
    total, rows, counts = await service.list_accounts(estate, near, Wanted(), 1)
    assert (total, [row.login for row in rows], counts) == (1, ["wang.li"], {"manager": 1})


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"login": "boss"}, "login"),
        ({"site": "99"}, "site"),
        ({"role": "resident"}, "person"),
        ({"role": "resident", "person": "P-9"}, "person"),
        ({"person": "P-1"}, "person"),
    ],
)
async def test_an_account_that_cannot_be_is_refused_beside_its_field(
    estate: Database, boss: Actor, more: dict[str, str], field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await opened(estate, boss, **more)
    assert set(caught.value.problems) == {field}


async def test_a_list_is_narrowed_by_name_role_and_state(estate: Database, boss: Actor) -> None:
    made = await opened(estate, boss)
    await opened(estate, boss, login="li_4%", name="李四", role="guard")
    await service.set_disabled(estate, boss, made.id, is_disabled=True)

    async def logins(**wanted: Any) -> list[str]:
        return [row.login for row in (await service.list_accounts(estate, boss, Wanted(**wanted), 1))[1]]

    assert await logins(search="李") == ["li_4%"]
    assert await logins(search="_4%") == ["li_4%"], "what a database takes for a sign is a letter here"
    assert await logins(role=Role.GUARD) == ["li_4%"]
    assert await logins(state="disabled") == ["wang.li"]
    assert await logins(state="active") == ["boss", "li_4%"]


@pytest.mark.parametrize(
    ("current", "new", "again", "field"),
    [
        ("wrong", "moss on granite", "moss on granite", "current"),
        (None, "moss on granite", "moss on marble", "again"),
        (None, "password1", "password1", "new"),
        (None, "wang.li2026", "wang.li2026", "new"),
        (None, None, None, "new"),
    ],
)
async def test_a_password_of_ones_own_is_refused_beside_its_field(
    estate: Database, boss: Actor, current: str | None, new: str | None, again: str | None, field: str
) -> None:
    made = await opened(estate, boss)
    session = await auth.sign_in(estate, "wang.li", made.secret, PEER)
    wanted = OwnPassword(current=current or made.secret, new=new or made.secret, again=again or made.secret)
    with pytest.raises(Invalid) as caught:
        await service.change_own_password(estate, session.view.actor(PEER), session.view.session_id, wanted)
    assert set(caught.value.problems) == {field}


async def test_signing_out_elsewhere_leaves_this_session(estate: Database, boss: Actor) -> None:
    made = await opened(estate, boss)
    here, there = [await auth.sign_in(estate, "wang.li", made.secret, PEER) for _ in range(2)]
    assert len(await auth.open_sessions(estate, made.id)) == 2
    assert await service.end_other_sessions(estate, here.view.actor(PEER), here.view.session_id) == 1
    assert await auth.session_for(estate, here.token) is not None
    assert await auth.session_for(estate, there.token) is None

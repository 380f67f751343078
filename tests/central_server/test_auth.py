"""Accounts and sessions: what is kept, what a stranger can learn, and how guesses are slowed down."""

import asyncio
import sqlite3
from collections.abc import Callable

import pytest
from sqlalchemy import select, update

from central_server import auth, password
from central_server.auth import add_account, reset_password, session_for, sign_in, sign_out
from central_server.db import Database
from central_server.errors import BadRequest, Conflict, NotFound, TooMany
from central_server.rbac import Role, system
from central_server.schema import account, session
from central_server.throttle import Throttle

PASSWORD = "correct horse 7"
PEER = "127.0.0.1"


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Set the clock of sessions, in ms."""

    def set_clock(now: int) -> None:
        monkeypatch.setattr(auth, "now_ms", lambda: now)

    set_clock(1_000_000_000_000)
    return set_clock


async def test_a_session_is_known_by_its_token_until_signed_out(db: Database) -> None:
    await add_account(db, "ann", "安", "zh", PASSWORD, Role.ADMINISTRATOR, actor=system("test"))
    opened = await sign_in(db, "ann", PASSWORD, PEER)
    found = await session_for(db, opened.token)
    assert found == opened.view
    assert (opened.view.login, opened.view.name, opened.view.language) == ("ann", "安", "zh")
    await sign_out(db, opened.view.session_id)
    await sign_out(db, opened.view.session_id)
    assert await session_for(db, opened.token) is None


async def test_every_sign_in_has_a_token_and_a_form_secret_of_its_own(db: Database) -> None:
    await add_account(db, "ann2", "", "zh", PASSWORD, Role.ADMINISTRATOR, actor=system("test"))
    first, second = [await sign_in(db, "ann2", PASSWORD, PEER) for _ in range(2)]
    assert len({first.token, second.token, first.view.csrf, second.view.csrf}) == 4
    assert len(first.token) >= 43, "256 bits"
    await sign_out(db, first.view.session_id)
    assert await session_for(db, second.token) is not None


async def test_neither_password_nor_token_is_in_the_file(db: Database) -> None:
    await add_account(db, "ann3", "", "zh", PASSWORD, Role.ADMINISTRATOR, actor=system("test"))
    token = (await sign_in(db, "ann3", PASSWORD, PEER)).token
    assert db.path is not None
    connection = sqlite3.connect(db.path)
    dump = "\n".join(connection.iterdump())
    connection.close()
    assert "$argon2id$" in dump
    assert PASSWORD not in dump
    assert token not in dump


async def test_a_wrong_password_an_unknown_and_a_disabled_account_read_the_same(db: Database) -> None:
    await add_account(db, "known", "", "zh", PASSWORD, Role.ADMINISTRATOR, actor=system("test"))
    await add_account(db, "off", "", "zh", PASSWORD, Role.ADMINISTRATOR, actor=system("test"))
    async with db.write() as connection:
        await connection.execute(update(account).where(account.c.login == "off").values(is_disabled=True))
    said = set()
    for login, secret in (
        ("known", "wrong"),
        ("nobody", PASSWORD),
        ("off", PASSWORD),
        ("known", ""),
        ("known", PASSWORD + " "),
    ):
        with pytest.raises(BadRequest) as caught:
            await sign_in(db, login, secret, PEER)
        said.add((caught.value.key, str(caught.value), caught.value.status, tuple(caught.value.fields)))
    assert len(said) == 1


async def test_a_password_is_compared_to_its_last_character(db: Database) -> None:
    longest = ("pq" * password.MOST)[: password.MOST]
    await add_account(db, "long", "", "zh", longest, Role.ADMINISTRATOR, actor=system("test"))
    await sign_in(db, "long", longest, PEER)
    with pytest.raises(BadRequest):
        await sign_in(db, "long", longest + "x", PEER)


async def test_a_disabled_account_loses_its_sessions_at_once(db: Database) -> None:
    await add_account(db, "gone", "", "zh", PASSWORD, Role.ADMINISTRATOR, actor=system("test"))
    token = (await sign_in(db, "gone", PASSWORD, PEER)).token
    async with db.write() as connection:
        await connection.execute(update(account).where(account.c.login == "gone").values(is_disabled=True))
    assert await session_for(db, token) is None


async def test_a_new_password_ends_the_sessions_and_the_old_password(db: Database) -> None:
    await add_account(db, "ann4", "", "zh", PASSWORD, Role.ADMINISTRATOR, actor=system("test"))
    token = (await sign_in(db, "ann4", PASSWORD, PEER)).token
    await reset_password(db, "ann4", "another horse 8")
    assert await session_for(db, token) is None
    with pytest.raises(BadRequest):
        await sign_in(db, "ann4", PASSWORD, PEER)
    await sign_in(db, "ann4", "another horse 8", PEER)
    with pytest.raises(NotFound, match="nobody"):
        await reset_password(db, "nobody", "another horse 8")


async def test_a_session_ends_after_half_an_hour_unseen(db: Database, at: Callable[[int], None]) -> None:
    start = 1_000_000_000_000
    await add_account(db, "idle", "", "zh", PASSWORD, Role.ADMINISTRATOR, actor=system("test"))
    token = (await sign_in(db, "idle", PASSWORD, PEER)).token
    at(start + auth.IDLE_MS - 1)
    assert await session_for(db, token) is not None, "and it is seen now"
    at(start + 2 * auth.IDLE_MS - 2)
    assert await session_for(db, token) is not None
    at(start + 3 * auth.IDLE_MS)
    assert await session_for(db, token) is None


async def test_a_session_ends_after_twelve_hours_however_busy(db: Database, at: Callable[[int], None]) -> None:
    start = 1_000_000_000_000
    await add_account(db, "busy", "", "zh", PASSWORD, Role.ADMINISTRATOR, actor=system("test"))
    token = (await sign_in(db, "busy", PASSWORD, PEER)).token
    for now in range(start, start + auth.ABSOLUTE_MS, auth.IDLE_MS - 1):
        at(now)
        assert await session_for(db, token) is not None
    at(start + auth.ABSOLUTE_MS)
    assert await session_for(db, token) is None


async def test_sessions_long_over_are_forgotten_at_the_next_sign_in(db: Database, at: Callable[[int], None]) -> None:
    await add_account(db, "often", "", "zh", PASSWORD, Role.ADMINISTRATOR, actor=system("test"))
    await sign_in(db, "often", PASSWORD, PEER)
    at(1_000_000_000_000 + auth.ABSOLUTE_MS + 31 * 24 * 3_600_000)
    await sign_in(db, "often", PASSWORD, PEER)
    async with db.read() as connection:
        assert len((await connection.execute(select(session))).all()) == 1


@pytest.mark.parametrize("token", ["", "x", "\udcff", "'; DROP TABLE session; --"])
async def test_a_made_up_token_is_no_session(db: Database, token: str) -> None:
    assert await session_for(db, token) is None


@pytest.mark.parametrize("login", ["", " ann", "ann ", "a\nb", "x" * 65])
async def test_a_login_that_nobody_could_type_is_refused(db: Database, login: str) -> None:
    with pytest.raises(BadRequest, match="printable"):
        await add_account(db, login, "", "zh", PASSWORD, Role.ADMINISTRATOR, actor=system("test"))


async def test_a_login_is_given_once_and_a_password_has_its_length(db: Database) -> None:
    await add_account(db, "twice", "", "zh", PASSWORD, Role.ADMINISTRATOR, actor=system("test"))
    with pytest.raises(Conflict, match="twice"):
        await add_account(db, "twice", "", "zh", PASSWORD, Role.ADMINISTRATOR, actor=system("test"))
    for secret in ("eleven-1234", "x" * 257):
        with pytest.raises(BadRequest, match="12 to 256"):
            await add_account(db, "short", "", "zh", secret, Role.ADMINISTRATOR, actor=system("test"))


async def test_guesses_sent_side_by_side_do_not_pass_together(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "monotonic_ms", lambda: 1_000_000)
    await add_account(db, "target", "", "zh", PASSWORD, Role.ADMINISTRATOR, actor=system("test"))
    answers = await asyncio.gather(
        *(sign_in(db, "target", f"guess {number}", PEER) for number in range(30)), return_exceptions=True
    )
    assert sum(isinstance(answer, BadRequest) for answer in answers) <= 6
    assert sum(isinstance(answer, TooMany) for answer in answers) >= 24
    with pytest.raises(TooMany) as caught:
        await sign_in(db, "target", PASSWORD, PEER)
    assert 1 <= caught.value.retry_after_s <= 60
    # A stranger's guesses do not lock the owner out elsewhere.
    await sign_in(db, "target", PASSWORD, "192.0.2.9")


def test_ten_thousand_guesses_in_an_hour_reach_the_password_twenty_times() -> None:
    throttle, reached = Throttle(), 0
    for now in range(0, 3_600_000, 360):
        if not throttle.wait_s("a", PEER, now):
            throttle.failed("a", PEER, now)
            reached += 1
    assert reached == 20


def test_nobody_is_locked_out_for_good() -> None:
    throttle, now = Throttle(), 0
    for _ in range(200):
        while wait := throttle.wait_s("a", PEER, now):
            assert wait <= 3600
            now += wait * 1000
        throttle.failed("a", PEER, now)
    assert throttle.wait_s("a", PEER, now + 3_600_000) == 0


def test_the_right_password_makes_the_guesses_forgotten() -> None:
    throttle = Throttle()
    for _ in range(5):
        throttle.failed("a", PEER, 0)
    assert throttle.wait_s("a", PEER, 0) > 0
    throttle.succeeded("a", PEER)
    assert throttle.wait_s("a", PEER, 0) == 0


def test_a_flood_of_names_does_not_grow_for_ever() -> None:
    throttle = Throttle()
    for number in range(10_050):
        throttle.failed(f"login-{number}", PEER, 0)
    assert len(throttle._tried) == 10_000


async def test_a_clock_that_is_set_back_locks_nobody_out(db: Database, at: Callable[[int], None]) -> None:
    await add_account(db, "back", "", "zh", PASSWORD, Role.ADMINISTRATOR, actor=system("test"))
    for _ in range(5):
        with pytest.raises(BadRequest):
            await sign_in(db, "back", "wrong", PEER)
    at(0)
    with pytest.raises(TooMany) as caught:
        await sign_in(db, "back", PASSWORD, PEER)
    assert caught.value.retry_after_s <= 2


@pytest.mark.parametrize("login", ["x" * 1_000_000, "\udcff", "\x00", ""])
async def test_a_login_of_rubbish_is_an_unknown_one_and_is_not_kept(db: Database, login: str) -> None:
    with pytest.raises(BadRequest) as caught:
        await sign_in(db, login, "\udcff", "192.0.2.77")
    assert caught.value.key == "sign_in_wrong"
    assert max(len(known) for known, _ in auth.throttle._tried) <= 65


async def test_a_page_that_renews_itself_keeps_nobody_signed_in(db: Database, at: Callable[[int], None]) -> None:
    start = 1_000_000_000_000
    await add_account(db, "gone-home", "", "zh", PASSWORD, Role.ADMINISTRATOR, actor=system("test"))
    token = (await sign_in(db, "gone-home", PASSWORD, PEER)).token
    at(start + auth.IDLE_MS - 1)
    assert await session_for(db, token, is_seen=False) is not None
    at(start + auth.IDLE_MS)
    assert await session_for(db, token, is_seen=False) is None


async def test_a_residents_session_lasts_a_week_unseen(db: Database, at: Callable[[int], None]) -> None:
    start = 1_000_000_000_000
    await add_account(db, "p-1", "", "zh", PASSWORD, Role.RESIDENT, actor=system("test"))
    token = (await sign_in(db, "p-1", PASSWORD, PEER)).token
    at(start + auth.RESIDENT_IDLE_MS - 1)
    assert await session_for(db, token, is_seen=False) is not None
    at(start + auth.RESIDENT_IDLE_MS)
    assert await session_for(db, token) is None


async def test_sign_ins_are_noted_with_their_result_and_without_what_was_typed(db: Database) -> None:
    await add_account(db, "noted", "", "zh", PASSWORD, Role.GUARD, actor=system("test"))
    await sign_in(db, "noted", PASSWORD, PEER)
    for login in ("noted", "my own password 9"):
        with pytest.raises(BadRequest):
            await sign_in(db, login, "wrong", PEER)
    async with db.read() as connection:
        rows = (await connection.exec_driver_sql("SELECT login, subject, outcome FROM audit ORDER BY id")).all()
    assert [tuple(row) for row in rows[1:]] == [
        ("noted", "account:noted", "done"),
        ("noted", "account:noted", "failed"),
        ("", "account:?", "failed"),
    ]

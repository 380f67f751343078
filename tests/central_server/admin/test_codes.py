"""Codes by which residents sign in."""

import sqlite3
from dataclasses import replace

import pytest

from central_server import auth
from central_server.admin import codes
from central_server.db import Database
from central_server.errors import BadRequest, Conflict, NotFound, TooMany
from central_server.rbac import Actor, Role

TODAY, PEER = "2026-11-23", "192.0.2.7"


@pytest.fixture(autouse=True)
def _calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without earlier guesses, and answer without the pause."""
    monkeypatch.setattr(auth, "throttle", auth.Throttle())
    monkeypatch.setattr(codes, "_ANSWER_MS", 0)


async def code_in_outbox(db: Database) -> str:
    (*_, newest) = await codes.list_outbox(db)
    return next(word for word in newest.body.replace("，", " ").split() if word.isdecimal() and len(word) == 6)


async def test_a_code_from_the_desk_opens_once_by_phone_or_by_login(estate: Database, boss: Actor) -> None:
    handed = await codes.hand_over_code(estate, boss, 1, TODAY)
    assert (handed.person_name, handed.login, len(handed.code)) == ("王芳", "P-1", 6)
    session = await codes.sign_in_with_code(estate, "+86 138-0000-0001", handed.code, PEER)
    view = session.view
    assert (view.role, view.person_id, view.site_id, view.name) == (Role.RESIDENT, 1, 1, "P-1")
    assert session.lasts_s == 30 * 24 * 3600
    with pytest.raises(BadRequest):
        await codes.sign_in_with_code(estate, "13800000001", handed.code, PEER)
    again = await codes.hand_over_code(estate, boss, 1, TODAY)
    second = await codes.sign_in_with_code(estate, "P-1", again.code, PEER)
    assert second.view.account_id == view.account_id, "the account is made once"


async def test_a_code_runs_out_after_ten_minutes_and_by_a_newer_one(
    estate: Database, boss: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await codes.hand_over_code(estate, boss, 1, TODAY)
    second = await codes.hand_over_code(estate, boss, 1, TODAY)
    with pytest.raises(BadRequest):
        await codes.sign_in_with_code(estate, "P-1", first.code if first.code != second.code else "", PEER)
    late = codes.now_ms() + codes.LASTS_MS + 1
    monkeypatch.setattr(codes, "now_ms", lambda: late)
    with pytest.raises(BadRequest):
        await codes.sign_in_with_code(estate, "P-1", second.code, PEER)


async def test_five_wrong_guesses_use_a_code_up(estate: Database, boss: Actor) -> None:
    handed = await codes.hand_over_code(estate, boss, 1, TODAY)
    wrong = "000000" if handed.code != "000000" else "111111"
    for number in range(5):
        with pytest.raises(BadRequest):
            await codes.sign_in_with_code(estate, "P-1", wrong, f"192.0.2.{number}")
    with pytest.raises(BadRequest):
        await codes.sign_in_with_code(estate, "P-1", handed.code, PEER)


async def test_guesses_from_one_address_are_slowed_down(estate: Database) -> None:
    for _ in range(5):
        with pytest.raises(BadRequest):
            await codes.sign_in_with_code(estate, "13800000001", "000000", PEER)
    with pytest.raises(TooMany):
        await codes.sign_in_with_code(estate, "13800000001", "000000", PEER)


async def test_a_code_is_sent_to_whom_the_records_know_and_to_nobody_else(estate: Database) -> None:
    for who in ("13900000009", "", "\x00", "P-1"):
        await codes.send_code(estate, who, PEER, TODAY)
    assert await codes.list_outbox(estate) == [], "P-1 is no login yet"
    await codes.send_code(estate, "138 0000 0002", PEER, TODAY)
    session = await codes.sign_in_with_code(estate, "13800000002", await code_in_outbox(estate), PEER)
    assert session.view.person_id == 2


async def test_no_more_than_three_codes_an_hour_are_sent(estate: Database) -> None:
    for number in range(5):
        await codes.send_code(estate, "13800000002", f"192.0.2.{number}", TODAY)
    assert len(await codes.list_outbox(estate)) == 3


async def test_neither_code_nor_message_can_be_read_in_the_file(estate: Database) -> None:
    await codes.send_code(estate, "13800000002", PEER, TODAY)
    code = await code_in_outbox(estate)
    assert estate.path is not None
    connection = sqlite3.connect(estate.path)
    dump = "\n".join(connection.iterdump())
    connection.close()
    assert f"{code}" not in dump.replace("13800000002", "")
    assert "李雷" not in dump


async def test_a_desk_hands_codes_to_its_own_residents_only(estate: Database, boss: Actor) -> None:
    near = replace(boss, site_id=1)
    await codes.hand_over_code(estate, near, 1, TODAY)
    for stranger in (2, 99):
        with pytest.raises(NotFound):
            await codes.hand_over_code(estate, near, stranger, TODAY)


async def test_who_has_moved_out_gets_no_code_and_a_shut_account_neither(estate: Database, boss: Actor) -> None:
    with pytest.raises(Conflict, match="no unit"):
        await codes.hand_over_code(estate, boss, 1, "2019-12-31")
    handed = await codes.hand_over_code(estate, boss, 1, TODAY)
    async with estate.write() as connection:
        await connection.exec_driver_sql("UPDATE account SET is_disabled = 1 WHERE login = 'P-1'")
    with pytest.raises(BadRequest):
        await codes.sign_in_with_code(estate, "P-1", handed.code, PEER)
    with pytest.raises(Conflict, match="shut"):
        await codes.hand_over_code(estate, boss, 1, TODAY)


async def test_staff_do_not_sign_in_by_code(estate: Database, boss: Actor) -> None:
    async with estate.write() as connection:
        await connection.exec_driver_sql("UPDATE account SET person_id = 1 WHERE login = 'boss'")
    handed = await codes.hand_over_code(estate, boss, 1, TODAY)
    assert handed.login == "P-1"
    session = await codes.sign_in_with_code(estate, "13800000001", handed.code, PEER)
    assert session.view.role is Role.RESIDENT

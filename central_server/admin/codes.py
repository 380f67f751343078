"""One-time codes by which residents sign in: handed over at the desk, or put into the outbox.

A code has six digits, lasts ten minutes, bears five tries and opens once; it is kept as a keyed hash.
Whoever asks with a number that is not known gets the same answers in the same time.
"""

import asyncio
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import RowMapping, and_, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import audit, auth, password
from central_server.clock import monotonic_ms, now_ms
from central_server.crypto import blind
from central_server.db import Database
from central_server.errors import BadRequest, Conflict, NotFound
from central_server.rbac import Actor, Role, system
from central_server.records.personal import plain_phone
from central_server.records.residency import UnitRow, units_of
from central_server.schema import account, outbox, person, sign_in_code

LASTS_MS = 10 * 60 * 1000
TRIES = 5
_SENT_PER_HOUR = 3
_HOUR_MS = 3600 * 1000
_ANSWER_MS = 300  # every answer to "send me a code" takes this long, for the known and the unknown
_MOST_PEOPLE = 8  # who share one telephone

MESSAGES = {
    "zh": "【Gatehouse】您的登录验证码是 {code}，10 分钟内有效。请勿告诉他人。",
    "en": "[Gatehouse] Your sign-in code is {code}. It is good for 10 minutes. Tell it to nobody.",
}


@dataclass(frozen=True, slots=True)
class HandedCode:
    """A code to read out; it is shown once and kept nowhere."""

    code: str
    login: str
    person_name: str
    person_code: str
    until: int


@dataclass(frozen=True, slots=True)
class Guest:
    """Who is to be let in; ``login`` None for one who has no account yet."""

    person_id: int
    name: str
    code: str
    login: str | None


@dataclass(frozen=True, slots=True)
class Message:
    """What waits in the outbox; ``sent_at`` None until something carries messages."""

    id: int
    person_code: str
    kind: str
    body: str
    created_at: int
    sent_at: int | None


async def hand_over_code(db: Database, actor: Actor, person_id: int, on: str) -> HandedCode:
    """Make a code for somebody who stands at the desk, and their account where they have none; ``on`` is today.

    Raises: NotFound for somebody of another site or none; Conflict for a shut account.
    """
    unusable = await password.nobodys_hash()
    async with db.write() as connection:
        found, units = await _resident(connection, actor, person_id, on)
        row = await _account_of(connection, actor, found, units, unusable)
        if row["is_disabled"]:
            raise Conflict("account_disabled", "This account is shut. An administrator can open it again.")
        code = await _make(connection, row["id"])
        await audit.note(connection, actor, "codes.hand_over", f"account:{row['login']}")
    return HandedCode(code, row["login"], found["name"], found["code"], now_ms() + LASTS_MS)


async def get_guest(db: Database, actor: Actor, person_id: int, on: str) -> Guest:
    """Give who would be handed a code. Raises: NotFound, Conflict for one who lives nowhere here."""
    async with db.read() as connection:
        found, _ = await _resident(connection, actor, person_id, on)
        query = select(account.c.login).where(account.c.person_id == person_id, account.c.role == Role.RESIDENT.value)
        login = (await connection.execute(query.order_by(account.c.id))).scalars().first()
    return Guest(person_id, found["name"], found["code"], login)


async def _resident(
    connection: AsyncConnection, actor: Actor, person_id: int, on: str
) -> tuple[RowMapping, Sequence[UnitRow]]:
    units = await units_of(connection, person_id, on)
    found = (await connection.execute(select(person).where(person.c.id == person_id))).mappings().one_or_none()
    if found is None or (actor.site_id is not None and all(each.site_id != actor.site_id for each in units)):
        raise NotFound("no_person", "There is no such person.")
    if not units:
        raise Conflict("no_resident", "This person owns or rents no unit today. Only residents sign in by code.")
    return found, units


async def _account_of(
    connection: AsyncConnection, actor: Actor, owner: RowMapping, units: Sequence[UnitRow], unusable: str
) -> RowMapping:
    """Give a person's account; make it where there is none yet."""
    mine = select(account).where(account.c.person_id == owner["id"], account.c.role == Role.RESIDENT.value)
    found = (await connection.execute(mine.order_by(account.c.id))).mappings().first()
    if found is not None:
        return found
    sites = {each.site_id for each in units}
    login = owner["code"]
    if (await connection.execute(select(account.c.id).where(account.c.login == login))).first() is not None:
        login = f"{owner['code'][:56]}-{secrets.token_hex(3)}"
    values = {
        "login": login,
        "name": login,  # the person's name is sealed in the records, and not copied here
        "password_hash": unusable,
        "language": "zh",
        "is_disabled": False,
        "created_at": now_ms(),
        "role": Role.RESIDENT.value,
        "site_id": sites.pop() if len(sites) == 1 else None,
        "person_id": owner["id"],
    }
    await connection.execute(insert(account).values(values))
    await audit.note(connection, actor, "accounts.add", f"account:{login}", role=Role.RESIDENT.value)
    return (await connection.execute(mine)).mappings().one()


async def _make(connection: AsyncConnection, account_id: int) -> str:
    """Make a code; the ones before it open nothing any more."""
    code, now = f"{secrets.randbelow(10**6):06d}", now_ms()
    await connection.execute(
        update(sign_in_code)
        .where(sign_in_code.c.account_id == account_id, sign_in_code.c.expires_at > now)
        .values(expires_at=now)
    )
    await connection.execute(
        insert(sign_in_code).values(
            account_id=account_id,
            code_hash=_hash(connection, account_id, code),
            created_at=now,
            expires_at=now + LASTS_MS,
            tries=0,
        )
    )
    return code


def _hash(connection: AsyncConnection, account_id: int, code: str) -> str:
    # Six digits are soon tried through: the hash needs the key, which is not in the database.
    return blind(connection, f"{account_id}:{code}", "code")


async def send_code(db: Database, who: str, peer: str, on: str) -> None:
    """Put a code into the outbox for a telephone number or a login; for the unknown do nothing, as slowly."""
    began = monotonic_ms()
    auth.slow_down(f"send:{who[:64]}", peer)
    unusable = await password.nobodys_hash()
    async with db.write() as connection:
        for found in await _people(connection, who):
            units = await units_of(connection, found["id"], on)
            if units:
                row = await _account_of(connection, system("code by message"), found, units, unusable)
                await _send(connection, row, peer)
    await asyncio.sleep(max(0, began + _ANSWER_MS - monotonic_ms()) / 1000)


async def _people(connection: AsyncConnection, who: str) -> Sequence[RowMapping]:
    """Find the residents of a telephone number or of a login."""
    if not who.isprintable() or not who:
        return ()
    of_login = select(account.c.person_id).where(account.c.login == who, account.c.role == Role.RESIDENT.value)
    index = blind(connection, plain_phone(who), "phone")
    query = select(person).where(or_(person.c.phone_index == index, person.c.id.in_(of_login)))
    return (await connection.execute(query.order_by(person.c.id).limit(_MOST_PEOPLE))).mappings().all()


async def _send(connection: AsyncConnection, row: RowMapping, peer: str) -> None:
    sent = select(func.count()).where(
        sign_in_code.c.account_id == row["id"], sign_in_code.c.created_at > now_ms() - _HOUR_MS
    )
    if row["is_disabled"] or (await connection.execute(sent)).scalar_one() >= _SENT_PER_HOUR:
        return
    code = await _make(connection, row["id"])
    body = MESSAGES.get(row["language"], MESSAGES["zh"]).format(code=code)
    values = {"person_id": row["person_id"], "kind": "sign_in_code", "body": body, "created_at": now_ms()}
    await connection.execute(insert(outbox).values(values))
    await audit.note(connection, Actor("", "", None, peer=peer), "codes.send", f"account:{row['login']}")


async def sign_in_with_code(db: Database, who: str, code: str, peer: str) -> auth.Session:
    """Open a session by a code.

    Raises: BadRequest with the same words for every wrong number or code; TooMany.
    """
    auth.slow_down(f"code:{who[:64]}", peer)
    async with db.write() as connection:
        for found in await _people(connection, who):
            row = await _redeem(connection, found["id"], code)
            if row is not None:
                auth.throttle.succeeded(f"code:{who[:64]}", peer)
                return await auth.open_session(connection, row, peer, means="code")
        nobody = Actor("", "", None, peer=peer)
        await audit.note(connection, nobody, "accounts.sign_in", "account:?", outcome="failed", by="code")
    raise BadRequest("code_wrong", "The number or the code is not right, or the code has run out. Ask for a new one.")


async def _redeem(connection: AsyncConnection, person_id: int, code: str) -> RowMapping | None:
    """Use up a person's code; a wrong one costs one of its tries."""
    open_codes = and_(
        sign_in_code.c.used_at.is_(None), sign_in_code.c.expires_at > now_ms(), sign_in_code.c.tries < TRIES
    )
    query = (
        select(sign_in_code.c.id.label("code_id"), sign_in_code.c.code_hash, account)
        .join(account, account.c.id == sign_in_code.c.account_id)
        .where(account.c.person_id == person_id, account.c.role == Role.RESIDENT.value)
        .where(account.c.is_disabled.is_(False), open_codes)
    )
    for row in (await connection.execute(query)).mappings():
        chosen = update(sign_in_code).where(sign_in_code.c.id == row["code_id"])
        if hmac.compare_digest(row["code_hash"], _hash(connection, row["id"], code)):
            await connection.execute(chosen.values(used_at=now_ms()))
            return row
        await connection.execute(chosen.values(tries=sign_in_code.c.tries + 1))
    return None


async def list_outbox(db: Database, limit: int = 100) -> list[Message]:
    """Give the newest messages that wait to be carried, oldest first."""
    query = (
        select(outbox, person.c.code.label("person_code"))
        .join(person)
        .where(outbox.c.sent_at.is_(None))
        .order_by(outbox.c.id.desc())
        .limit(limit)
    )
    async with db.read() as connection:
        rows = (await connection.execute(query)).all()
    return [Message(row.id, row.person_code, row.kind, row.body, row.created_at, row.sent_at) for row in rows[::-1]]

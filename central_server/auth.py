"""Sessions: opened by a password, known by a token that is kept as a hash, ended by time, by hand or by loss of rights."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import audit, password
from central_server.clock import monotonic_ms, now_ms
from central_server.db import Database
from central_server.errors import BadRequest, Conflict, NotFound, TooMany
from central_server.rbac import Actor, Role, system
from central_server.schema import account, session, site
from central_server.throttle import Throttle

# Staff share desks; a resident's phone is one person's own.
IDLE_MS, ABSOLUTE_MS = 30 * 60 * 1000, 12 * 3600 * 1000
RESIDENT_IDLE_MS, RESIDENT_ABSOLUTE_MS = 7 * 24 * 3600 * 1000, 30 * 24 * 3600 * 1000
SECRET_MS = 24 * 3600 * 1000  # a password that was handed over opens this long
LOGIN_LENGTH = 64
_KEPT_MS = 30 * 24 * 3600 * 1000  # ended sessions stay this long, for questions
_TOUCH_MS = 60_000  # a session's last sight is written at most this often


@dataclass(frozen=True, slots=True)
class SessionView:
    """Who is signed in; ``must_change`` until they have chosen a password of their own."""

    session_id: int
    account_id: int
    login: str
    name: str
    language: str
    csrf: str
    role: Role | None = None
    site_id: int | None = None
    person_id: int | None = None
    must_change: bool = False

    def actor(self, peer: str) -> Actor:
        """Give the person as who does something, from an address."""
        return Actor(self.login, self.name, self.role, self.account_id, self.site_id, self.person_id, peer)


@dataclass(frozen=True, slots=True)
class Session:
    """A new session; ``token`` is the secret the browser keeps, not stored here, for ``lasts_s`` at most."""

    token: str
    view: SessionView
    lasts_s: int


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session that lasts, as its owner sees it."""

    id: int
    created_at: int
    last_seen_at: int
    peer: str


throttle = Throttle()


def token_hash(token: str) -> str:
    """Hash a random token for keeping; its own entropy makes a slow hash needless."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


async def add_account(
    db: Database,
    login: str,
    name: str,
    language: str,
    secret: str,
    role: Role,
    *,
    actor: Actor,
    site_id: int | None = None,
    person_id: int | None = None,
    must_change: bool = False,
) -> int:
    """Open an account; give its id. One that must change its password has a day to do so.

    Raises: Conflict where the login is taken, BadRequest for a bad login or password.
    """
    if not login or len(login) > LOGIN_LENGTH or login != login.strip() or not login.isprintable():
        raise BadRequest("login_form", "A login has 1 to 64 printable characters and no space at its ends.")
    await refuse_weak(db, secret, role, (login,))
    now = now_ms()
    values = {
        "login": login,
        "name": name or login,
        "password_hash": await password.hash_password(secret),
        "language": language,
        "is_disabled": False,
        "created_at": now,
        "role": role.value,
        "site_id": site_id,
        "person_id": person_id,
        "must_change": must_change,
        "secret_until": now + SECRET_MS if must_change else None,
    }
    try:
        async with db.write() as connection:
            made = await connection.execute(insert(account).values(values))
            await audit.note(connection, actor, "accounts.add", f"account:{login}", role=role.value, site=site_id)
            key = made.inserted_primary_key
            return int(key[0]) if key else 0
    except IntegrityError:
        raise Conflict("login_taken", "There is an account '{login}' already.", login=login) from None


async def refuse_weak(db: Database, secret: str, role: Role, names: Iterable[str]) -> None:
    """Refuse a password that others would guess. Raises: BadRequest."""
    async with db.read() as connection:
        sites = [text for row in await connection.execute(select(site.c.code, site.c.name)) for text in row]
    if problem := password.problem_of(secret, role, [*names, *sites]):
        raise BadRequest("password_weak", problem.text, **problem.fields)


async def reset_password(
    db: Database, login: str, secret: str, *, actor: Actor | None = None, must_change: bool = False
) -> None:
    """Give an account a new password and end its sessions.

    Raises: NotFound, BadRequest.
    """
    async with db.read() as connection:
        query = select(account.c.id, account.c.role).where(account.c.login == login)
        found = (await connection.execute(query)).one_or_none()
    if found is None:
        raise NotFound("no_account", "There is no account '{login}'.", login=login)
    await refuse_weak(db, secret, role_of(found.role) or Role.ADMINISTRATOR, (login,))
    values = {
        "password_hash": await password.hash_password(secret),
        "must_change": must_change,
        "secret_until": now_ms() + SECRET_MS if must_change else None,
    }
    async with db.write() as connection:
        await connection.execute(update(account).where(account.c.id == found.id).values(values))
        await end_sessions(connection, found.id)
        await audit.note(connection, actor or system("command line"), "accounts.reset", f"account:{login}")


async def end_sessions(connection: AsyncConnection, account_id: int, but: int | None = None) -> int:
    """End the sessions of an account, all but one where it is named; give how many lasted."""
    ended = update(session).where(session.c.account_id == account_id, session.c.ended_at.is_(None))
    return (await connection.execute(ended.where(session.c.id != (but or 0)).values(ended_at=now_ms()))).rowcount


async def sign_in(db: Database, login: str, secret: str, peer: str) -> Session:
    """Check a password and open a session.

    Raises: BadRequest with the same words for an unknown login and a wrong password; TooMany
    when guesses come too fast.
    """
    login = login[: LOGIN_LENGTH + 1]  # a longer one is nobody's, and the throttle must not keep it
    slow_down(login, peer)
    found = await _account(db, login) if login.isprintable() else None
    fits = await password.is_right(found["password_hash"] if found else None, secret)
    if found is None or not fits or _is_over(found):
        async with db.write() as connection:
            await _note_failure(connection, found, peer)
        raise BadRequest("sign_in_wrong", "The account or the password is not right. Check both and try again.")
    throttle.succeeded(login, peer)
    outdated = password.is_outdated(found["password_hash"])
    rehashed = await password.hash_password(secret) if outdated else None
    async with db.write() as connection:
        if rehashed:
            await connection.execute(update(account).where(account.c.id == found["id"]).values(password_hash=rehashed))
        return await open_session(connection, found, peer)


def slow_down(login: str, peer: str) -> None:
    """Count a guess. Raises: TooMany when they come too fast."""
    now = monotonic_ms()
    if wait := throttle.wait_s(login, peer, now):
        raise TooMany(
            "sign_in_slow", "Too many attempts. Wait {retry_after_s} seconds before the next one.", retry_after_s=wait
        )
    # Counted before it is checked: guesses sent side by side must not all pass the gate together.
    throttle.failed(login, peer, now)


async def _account(db: Database, login: str) -> RowMapping | None:
    query = select(account).where(account.c.login == login, account.c.is_disabled.is_(False))
    async with db.read() as connection:
        return (await connection.execute(query)).mappings().one_or_none()


async def password_hash_of(db: Database, account_id: int) -> str | None:
    """Give the hash of an account's password, for those who check it again."""
    async with db.read() as connection:
        query = select(account.c.password_hash).where(account.c.id == account_id)
        return (await connection.execute(query)).scalar_one_or_none()


def _is_over(found: RowMapping) -> bool:
    """Tell whether a password that was handed over was not used in its time."""
    return found["secret_until"] is not None and found["secret_until"] < now_ms()


async def _note_failure(connection: AsyncConnection, found: RowMapping | None, peer: str) -> None:
    """Note a wrong guess; what was typed for an unknown account may be a password and is not kept."""
    who = Actor("", "", None, peer=peer) if found is None else _view(0, "", found).actor(peer)
    await audit.note(connection, who, "accounts.sign_in", f"account:{who.login or '?'}", outcome="failed")


async def open_session(
    connection: AsyncConnection, found: RowMapping, peer: str, *, means: str = "password"
) -> Session:
    """Open a session for an account's row and note how."""
    now = now_ms()
    token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
    lasts = RESIDENT_ABSOLUTE_MS if found["role"] == Role.RESIDENT else ABSOLUTE_MS
    values = {
        "token_hash": token_hash(token),
        "account_id": found["id"],
        "csrf": csrf,
        "created_at": now,
        "last_seen_at": now,
        "expires_at": now + lasts,
        "peer": peer,
    }
    await connection.execute(delete(session).where(session.c.expires_at < now - _KEPT_MS))
    key = (await connection.execute(insert(session).values(values))).inserted_primary_key
    view = _view(int(key[0]) if key else 0, csrf, found)
    await audit.note(connection, view.actor(peer), "accounts.sign_in", f"account:{view.login}", by=means)
    return Session(token, view, lasts // 1000)


async def session_for(db: Database, token: str, *, is_seen: bool = True) -> SessionView | None:
    """Find the open session of a token; ``is_seen`` where a person asked and not a page by itself."""
    now = now_ms()
    columns = (account.c.id, *(account.c[name] for name in _SHOWN))
    query = (
        select(session.c.id.label("session_id"), session.c.csrf, session.c.last_seen_at, *columns)
        .join(account, account.c.id == session.c.account_id)
        .where(
            session.c.token_hash == token_hash(token),
            session.c.ended_at.is_(None),
            session.c.expires_at > now,
            session.c.last_seen_at > now - RESIDENT_IDLE_MS,
            account.c.is_disabled.is_(False),
        )
    )
    async with db.read() as connection:
        row = (await connection.execute(query)).mappings().one_or_none()
    if row is None or (row["role"] != Role.RESIDENT and row["last_seen_at"] <= now - IDLE_MS):
        return None
    if is_seen and now - row["last_seen_at"] > _TOUCH_MS:
        async with db.write() as connection:
            touched = update(session).where(session.c.id == row["session_id"])
            await connection.execute(touched.values(last_seen_at=now))
    return _view(row["session_id"], row["csrf"], row)


_SHOWN = ("login", "name", "language", "role", "site_id", "person_id", "must_change")


def role_of(text: str | None) -> Role | None:
    """Read a role; one of a later version is none here."""
    return next((role for role in Role if role == text), None)


def _view(session_id: int, csrf: str, found: RowMapping) -> SessionView:
    return SessionView(
        session_id=session_id,
        account_id=found["id"],
        login=found["login"],
        name=found["name"],
        language=found["language"],
        csrf=csrf,
        role=role_of(found["role"]),
        site_id=found["site_id"],
        person_id=found["person_id"],
        must_change=bool(found["must_change"]),
    )


async def sign_out(db: Database, session_id: int, actor: Actor | None = None) -> None:
    """End a session; repeating it changes nothing."""
    async with db.write() as connection:
        ended = update(session).where(session.c.id == session_id, session.c.ended_at.is_(None))
        done = await connection.execute(ended.values(ended_at=now_ms()))
        if done.rowcount and actor is not None:
            await audit.note(connection, actor, "accounts.sign_out", f"account:{actor.login}")


async def open_sessions(db: Database, account_id: int) -> list[OpenSession]:
    """Give the sessions of an account that last, the one seen last first."""
    now = now_ms()
    query = (
        select(session.c.id, session.c.created_at, session.c.last_seen_at, session.c.peer, account.c.role)
        .join(account, account.c.id == session.c.account_id)
        .where(session.c.account_id == account_id, session.c.ended_at.is_(None), session.c.expires_at > now)
        .order_by(session.c.last_seen_at.desc())
    )
    async with db.read() as connection:
        rows = (await connection.execute(query)).all()
    idle = {row.id: RESIDENT_IDLE_MS if row.role == Role.RESIDENT else IDLE_MS for row in rows}
    lasting = [row for row in rows if row.last_seen_at > now - idle[row.id]]
    return [OpenSession(row.id, row.created_at, row.last_seen_at, row.peer) for row in lasting]


async def set_language(db: Database, account_id: int, language: str) -> None:
    """Remember a person's language."""
    async with db.write() as connection:
        await connection.execute(update(account).where(account.c.id == account_id).values(language=language))

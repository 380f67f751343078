"""Accounts and sessions: argon2id passwords, tokens kept as hashes, guesses slowed down."""

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from central_server import audit
from central_server.clock import monotonic_ms, now_ms
from central_server.db import Database
from central_server.errors import BadRequest, Conflict, NotFound, TooMany
from central_server.rbac import Actor, Role
from central_server.schema import account, session

IDLE_MS = 30 * 60 * 1000
ABSOLUTE_MS = 12 * 3600 * 1000
MIN_LENGTH, MAX_LENGTH = 8, 256
LOGIN_LENGTH = 64
_KEPT_MS = 30 * 24 * 3600 * 1000  # ended sessions stay this long, for questions
_TOUCH_MS = 60_000  # a session's last sight is written at most this often

# Guesses that reach the hash, for each (login, address), within an hour.
_FREE_GUESSES = 5
_GUESSES_PER_HOUR = 20
_HOUR_MS = 3600 * 1000

_hasher = PasswordHasher()
# Someone unknown costs as much time as someone known, or the time would tell who exists.
_NOBODY = _hasher.hash(secrets.token_urlsafe(16))
# Each hash takes 64 MiB; a storm of sign-ins must not take all of memory.
_hashing = ThreadPoolExecutor(2, thread_name_prefix="argon2")


@dataclass(frozen=True, slots=True)
class SessionView:
    """Who is signed in."""

    session_id: int
    account_id: int
    login: str
    name: str
    language: str
    csrf: str
    role: Role | None = None
    site_id: int | None = None
    person_id: int | None = None

    def actor(self, peer: str) -> Actor:
        """Give the person as who does something, from an address."""
        return Actor(self.login, self.name, self.role, self.account_id, self.site_id, self.person_id, peer)


@dataclass(frozen=True, slots=True)
class Session:
    """A new session; ``token`` is the secret the browser keeps, not stored here."""

    token: str
    view: SessionView


class Throttle:
    """Slow down guesses for each login and address, without locking anyone out for good."""

    def __init__(self) -> None:
        self._tried: OrderedDict[tuple[str, str], list[int]] = OrderedDict()

    def wait_s(self, login: str, peer: str, now: int) -> int:
        """Say how many seconds the next guess must wait, 0 for none."""
        tried = [at for at in self._tried.get((login, peer), []) if now - at < _HOUR_MS]
        if len(tried) < _FREE_GUESSES:
            return 0
        if len(tried) >= _GUESSES_PER_HOUR:
            until: int = tried[-_GUESSES_PER_HOUR] + _HOUR_MS
            return max(1, int(until - now) // 1000)
        pause_ms = min(1000 * 2 ** (len(tried) - _FREE_GUESSES + 1), 60_000)
        return int(max(0, -((now - tried[-1] - pause_ms) // 1000)))

    def failed(self, login: str, peer: str, now: int) -> None:
        tried = self._tried.setdefault((login, peer), [])
        tried.append(now)
        del tried[:-_GUESSES_PER_HOUR]
        self._tried.move_to_end((login, peer))
        while len(self._tried) > 10_000:
            self._tried.popitem(last=False)

    def succeeded(self, login: str, peer: str) -> None:
        self._tried.pop((login, peer), None)


_throttle = Throttle()


def token_hash(token: str) -> str:
    """Hash a random token for keeping; its own entropy makes a slow hash needless."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


async def hash_password(password: str) -> str:
    """Hash a new password.

    Raises: BadRequest for one that is too short or too long.
    """
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise BadRequest(
            "password_length",
            "A password has {least} to {most} characters.",
            least=MIN_LENGTH,
            most=MAX_LENGTH,
        )
    return await _hash(password)


async def _hash(password: str) -> str:
    return await asyncio.get_running_loop().run_in_executor(_hashing, _hasher.hash, password)


async def add_account(
    db: Database,
    login: str,
    name: str,
    language: str,
    password: str,
    role: Role,
    *,
    actor: Actor,
    site_id: int | None = None,
    person_id: int | None = None,
) -> int:
    """Open an account; give its id.

    Raises: Conflict where the login is taken, BadRequest for a bad login or password.
    """
    if not login or len(login) > LOGIN_LENGTH or login != login.strip() or not login.isprintable():
        raise BadRequest("login_form", "A login has 1 to 64 printable characters and no space at its ends.")
    values = {
        "login": login,
        "name": name or login,
        "password_hash": await hash_password(password),
        "language": language,
        "is_disabled": False,
        "created_at": now_ms(),
        "role": role.value,
        "site_id": site_id,
        "person_id": person_id,
    }
    try:
        async with db.write() as connection:
            made = await connection.execute(insert(account).values(values))
            await audit.note(connection, actor, "accounts.add", f"account:{login}", role=role.value, site=site_id)
            key = made.inserted_primary_key
            return int(key[0]) if key else 0
    except IntegrityError:
        raise Conflict("login_taken", "There is an account '{login}' already.", login=login) from None


async def reset_password(db: Database, login: str, password: str) -> None:
    """Give an account a new password and end its sessions.

    Raises: NotFound, BadRequest.
    """
    hashed = await hash_password(password)
    async with db.write() as connection:
        found = (await connection.execute(select(account.c.id).where(account.c.login == login))).scalar_one_or_none()
        if found is None:
            raise NotFound("no_account", "There is no account '{login}'.", login=login)
        await connection.execute(update(account).where(account.c.id == found).values(password_hash=hashed))
        await connection.execute(
            update(session).where(session.c.account_id == found, session.c.ended_at.is_(None)).values(ended_at=now_ms())
        )


async def sign_in(db: Database, login: str, password: str, peer: str) -> Session:
    """Check a password and open a session.

    Raises: BadRequest with the same words for an unknown login and a wrong password; TooMany
    when guesses come too fast.
    """
    login = login[: LOGIN_LENGTH + 1]  # a longer one is nobody's, and the throttle must not keep it
    now = monotonic_ms()
    if wait := _throttle.wait_s(login, peer, now):
        raise TooMany(
            "sign_in_slow", "Too many attempts. Wait {retry_after_s} seconds before the next one.", retry_after_s=wait
        )
    # Counted before it is checked: guesses sent side by side must not all pass the gate together.
    _throttle.failed(login, peer, now)
    found = await _account(db, login) if login.isprintable() else None
    is_right = await _verify(found["password_hash"] if found else _NOBODY, password[:MAX_LENGTH])
    if found is None or not is_right or len(password) > MAX_LENGTH:
        raise BadRequest("sign_in_wrong", "The account or the password is not right. Check both and try again.")
    _throttle.succeeded(login, peer)
    return await _open(db, found, password, peer)


async def _account(db: Database, login: str) -> RowMapping | None:
    query = select(account).where(account.c.login == login, account.c.is_disabled.is_(False))
    async with db.read() as connection:
        return (await connection.execute(query)).mappings().one_or_none()


async def _verify(hashed: str, password: str) -> bool:
    try:
        return await asyncio.get_running_loop().run_in_executor(_hashing, _hasher.verify, hashed, password)
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False


async def _open(db: Database, found: RowMapping, password: str, peer: str) -> Session:
    now = now_ms()
    token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
    rehashed = await _hash(password) if _hasher.check_needs_rehash(found["password_hash"]) else None
    values = {
        "token_hash": token_hash(token),
        "account_id": found["id"],
        "csrf": csrf,
        "created_at": now,
        "last_seen_at": now,
        "expires_at": now + ABSOLUTE_MS,
        "peer": peer,
    }
    async with db.write() as connection:
        await connection.execute(delete(session).where(session.c.expires_at < now - _KEPT_MS))
        if rehashed:
            await connection.execute(update(account).where(account.c.id == found["id"]).values(password_hash=rehashed))
        made = await connection.execute(insert(session).values(values))
        key = made.inserted_primary_key
    session_id = int(key[0]) if key else 0
    return Session(token, _view(session_id, csrf, found))


async def session_for(db: Database, token: str) -> SessionView | None:
    """Find the open session of a token and note that it was seen."""
    now = now_ms()
    columns = (account.c.id, *(account.c[name] for name in _SHOWN))
    query = (
        select(session.c.id.label("session_id"), session.c.csrf, session.c.last_seen_at, *columns)
        .join(account, account.c.id == session.c.account_id)
        .where(
            session.c.token_hash == token_hash(token),
            session.c.ended_at.is_(None),
            session.c.expires_at > now,
            session.c.last_seen_at > now - IDLE_MS,
            account.c.is_disabled.is_(False),
        )
    )
    async with db.read() as connection:
        row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        return None
    if now - row["last_seen_at"] > _TOUCH_MS:
        async with db.write() as connection:
            touched = update(session).where(session.c.id == row["session_id"])
            await connection.execute(touched.values(last_seen_at=now))
    return _view(row["session_id"], row["csrf"], row)


_SHOWN = ("login", "name", "language", "role", "site_id", "person_id")


def _view(session_id: int, csrf: str, found: RowMapping) -> SessionView:
    login, name, language, role, site_id, person_id = (found[column] for column in _SHOWN)
    known = next((each for each in Role if each.value == role), None)  # a role of a later version is none here
    return SessionView(session_id, found["id"], login, name, language, csrf, known, site_id, person_id)


async def sign_out(db: Database, session_id: int) -> None:
    """End a session; repeating it changes nothing."""
    async with db.write() as connection:
        await connection.execute(
            update(session).where(session.c.id == session_id, session.c.ended_at.is_(None)).values(ended_at=now_ms())
        )


async def set_language(db: Database, account_id: int, language: str) -> None:
    """Remember a person's language."""
    async with db.write() as connection:
        await connection.execute(update(account).where(account.c.id == account_id).values(language=language))

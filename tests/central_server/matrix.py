"""Somebody of every role, signed in without the cost of a password, and an estate of two sites."""

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, Table, insert

from central_server import auth
from central_server.clock import now_ms
from central_server.db import Database
from central_server.rbac import Role
from central_server.schema import account, metadata, session
from scripts.roles import Visitor

FAR, FAR_NAME = 77, "Faraway"
_SHOWN = ("name", "title", "place", "summary")  # what lists show of a thing


async def visitor(
    db: Database, role: Role, site_id: int | None = None, person_id: int | None = None, name: str = ""
) -> Visitor:
    """Open an account of a role, kept to a site where one is named, and a session of it."""
    now, name = now_ms(), name or f"{role.value}-{site_id or 'all'}"
    async with db.write() as connection:
        values = {"login": name, "name": name, "password_hash": "", "language": "en", "is_disabled": False}
        own = {"created_at": now, "role": role.value, "site_id": site_id, "person_id": person_id}
        made = await connection.execute(account.insert().values(**values, **own))
        account_id = int(made.inserted_primary_key[0]) if made.inserted_primary_key else 0
        times = {"created_at": now, "last_seen_at": now, "expires_at": now + auth.ABSOLUTE_MS}
        hashed = auth.token_hash(f"token-of-{name}")
        await connection.execute(
            session.insert().values(token_hash=hashed, account_id=account_id, csrf=f"csrf-of-{name}", peer="", **times)
        )
    return Visitor(role, f"token-of-{name}", f"csrf-of-{name}")


def _filled(table: Table) -> dict[str, Any]:
    """Make a row in which every key, number and text is the far one."""
    return {column.name: _value(column) for column in table.columns if not column.nullable or column.foreign_keys}


def _value(column: Column[Any]) -> Any:
    kind = column.type
    if column.foreign_keys or column.name == "id":
        return FAR
    if isinstance(kind, Boolean):
        return False
    if isinstance(kind, LargeBinary):
        return b"77"
    if column.name.endswith("_on"):
        return "2026-11-01"
    if column.name in _SHOWN:
        return FAR_NAME
    if column.name == "zone":
        return "Asia/Shanghai"
    return FAR if isinstance(kind, (Integer, BigInteger)) else str(FAR)


async def fill_far_site(db: Database) -> None:
    """Put one row into every table, all of them of a site that is not ours, each found by the key 77."""
    async with db.write() as connection:
        for table in metadata.sorted_tables:
            if table.name not in ("session", "audit"):  # nobody is signed in there, and the chain is not ours to write
                await connection.execute(insert(table).values(_filled(table)))

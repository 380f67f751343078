"""Accounts, sessions, audit, and what people hand in."""

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, String, Table, Text

from central_server.crypto import Sealed
from central_server.schema.base import Key, at, key_id, metadata, to

account = Table(
    "account",
    metadata,
    key_id(),
    Column("login", String(64), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("language", String(8), nullable=False),
    Column("is_disabled", Boolean(create_constraint=False), nullable=False),
    at("created_at"),
    Column("role", String(32)),  # none: no right at all
    to("site", nullable=True),  # none: every site
    to("person", nullable=True),  # whose account it is, for residents
    Column("must_change", Boolean(create_constraint=False)),
    at("secret_until", nullable=True),  # how long a password that was handed over opens
)

session = Table(
    "session",
    metadata,
    key_id(),
    Column("token_hash", String(64), nullable=False, unique=True),
    to("account"),
    Column("csrf", String(64), nullable=False),
    at("created_at"),
    at("last_seen_at"),
    at("expires_at"),
    Column("peer", String(64), nullable=False),
    at("ended_at", nullable=True),
)


# Codes that let a resident in once: handed over at the desk, or sent.
sign_in_code = Table(
    "sign_in_code",
    metadata,
    key_id(),
    to("account"),
    Column("code_hash", String(64), nullable=False),
    at("created_at"),
    at("expires_at"),
    Column("tries", Integer, nullable=False),
    at("used_at", nullable=True),
    Index(None, "account_id", "created_at"),
)

# What is to be sent to a person by whatever carries messages; nothing personal but sealed.
outbox = Table(
    "outbox",
    metadata,
    key_id(),
    to("person"),
    Column("kind", String(32), nullable=False),
    Column("body", Sealed("outbox.body"), nullable=False),
    at("created_at"),
    at("sent_at", nullable=True),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=False),
    at("at"),
    to("account", nullable=True),
    Column("login", String(64), nullable=False),
    Column("role", String(32), nullable=False),
    Column("peer", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Column("prev_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Index(None, "subject"),
    Index(None, "at"),
)

# Photos, made anew from what was sent; ``kind`` and ``kind_id`` name what they belong to.
photo = Table(
    "photo",
    metadata,
    key_id(),
    Column("ref", String(32), nullable=False, unique=True),
    Column("kind", String(32), nullable=False),
    Column("kind_id", Key, nullable=False),
    to("site"),
    to("person", nullable=True),  # the resident who may see it beside the staff
    at("created_at"),
    Column("created_by", String(64), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),  # last: SQLite reads through it to whatever stands behind
    Index(None, "kind", "kind_id"),
)

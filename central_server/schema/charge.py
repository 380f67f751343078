"""Charges that wait for a bill, and the payments of bills."""

from sqlalchemy import BigInteger, Boolean, Column, Index, String, Table, Text

from central_server.crypto import Sealed
from central_server.schema.base import at, key_id, metadata, to

# What is owed and does not come from a meter; it is billed once a bill line has its key as ``source_key``.
charge = Table(
    "charge",
    metadata,
    key_id(),
    Column("key", String(128), nullable=False, unique=True),
    to("site"),
    to("unit"),
    Column("kind", String(16), nullable=False),
    Column("description", Text, nullable=False),
    Column("amount_fen", BigInteger, nullable=False),
    Column("period", String(7), nullable=False),
    Column("trace", Text, nullable=False),
    at("created_at"),
    Index(None, "site_id", "period"),
    Index(None, "unit_id"),
)

# Money taken for a bill; what was taken wrongly is taken back by a second row, never changed.
payment = Table(
    "payment",
    metadata,
    key_id(),
    to("bill"),
    Column("amount_fen", BigInteger, nullable=False),
    Column("method", String(16), nullable=False),
    Column("is_online", Boolean(create_constraint=False), nullable=False),
    Column("reference", String(32), nullable=False, unique=True),
    Column("once_key", String(64), nullable=False, unique=True),
    at("taken_at"),
    Column("taken_by", String(64), nullable=False),
    to("payment", "reverses_id", nullable=True),
    Column("reason", Sealed("payment.reason")),
    Index(None, "bill_id"),
    Index(None, "taken_at"),
    Index(None, "reverses_id", unique=True),
)

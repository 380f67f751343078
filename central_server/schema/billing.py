"""Metering points, bills and their lines."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, UniqueConstraint

from central_server.crypto import Sealed
from central_server.schema.base import at, key_id, metadata, to

metering_point = Table(
    "metering_point",
    metadata,
    key_id(),
    to("unit"),
    Column("code", String(64), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("tariff", String(64), nullable=False),
)

# The meter is named as its gateway names it, so that records can be written before it is first heard.
installation = Table(
    "installation",
    metadata,
    key_id(),
    to("metering_point"),
    to("device", nullable=True),
    Column("edge_id", String(32), nullable=False),
    Column("device_code", String(64), nullable=False),
    Column("point", String(64), nullable=False),
    Column("multiplier", Text, nullable=False),
    at("from_at"),
    at("to_at", nullable=True),
    Column("initial_mantissa", BigInteger),
    Column("initial_exponent", Integer),
    UniqueConstraint("metering_point_id", "from_at"),
)

bill_run = Table(
    "bill_run",
    metadata,
    key_id(),
    to("site"),
    Column("period", String(7), nullable=False),
    at("through_at"),
    at("created_at"),
    Column("created_by", Text, nullable=False),
    Column("input_hash", String(64), nullable=False),
    Column("output_hash", String(64), nullable=False),
    Column("totals", Text, nullable=False),
)

bill = Table(
    "bill",
    metadata,
    key_id(),
    Column("number", String(32), nullable=False, unique=True),
    to("bill_run", "run_id"),
    to("unit"),
    Column("period", String(7), nullable=False),
    at("from_at"),
    at("through_at"),
    Column("due_on", String(10), nullable=False),
    Column("total_fen", BigInteger, nullable=False),
    at("issued_at"),
    Column("owner_name", Sealed("bill.owner_name"), nullable=True),
    Index(None, "unit_id", "period"),
)

bill_line = Table(
    "bill_line",
    metadata,
    key_id(),
    to("bill"),
    Column("position", Integer, nullable=False),
    to("metering_point", nullable=True),  # none: the line is a charge's, named by ``source_key``
    Column("description_key", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("quantity", Text, nullable=False),
    Column("unit", String(16), nullable=False),
    Column("unit_price", Text),
    Column("amount_fen", BigInteger, nullable=False),
    at("opening_at", nullable=True),
    at("closing_at", nullable=True),
    Column("trace", Text, nullable=False),
    Column("source_key", String(128), unique=True),
    UniqueConstraint("metering_point_id", "opening_at"),
    Index(None, "bill_id"),
)

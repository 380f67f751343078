"""Who lives where since when, whose vehicle it is, and the ledger of equipment."""

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text, UniqueConstraint

from central_server.crypto import Sealed
from central_server.schema.base import at, key_id, metadata, to

# Tenants and those who live with them or with an owner; a day of ``to_on`` is the first without them.
tenancy = Table(
    "tenancy",
    metadata,
    key_id(),
    to("unit"),
    to("person"),
    Column("kind", String(16), nullable=False),
    Column("from_on", String(10), nullable=False),
    Column("to_on", String(10)),
    at("created_at"),
    UniqueConstraint("unit_id", "person_id", "from_on"),
    Index(None, "person_id"),
)

vehicle = Table(
    "vehicle",
    metadata,
    key_id(),
    to("person"),
    to("unit", nullable=True),
    Column("plate", Sealed("vehicle.plate"), nullable=False),
    Column("plate_index", String(32), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    at("created_at"),
    at("removed_at", nullable=True),
)

# Whatever is inspected and repaired; ``device_id`` where the house reads it as well.
equipment = Table(
    "equipment",
    metadata,
    key_id(),
    to("site"),
    to("building", nullable=True),
    Column("code", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("place", Text, nullable=False),
    to("device", nullable=True),
    Column("installed_on", String(10)),
    Column("is_retired", Boolean(create_constraint=False), nullable=False),
    at("created_at"),
    UniqueConstraint("site_id", "code"),
)

# A workbook that was looked at and waits to be confirmed, as it was sent.
workbook = Table(
    "workbook",
    metadata,
    key_id(),
    Column("digest", String(64), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    to("account", nullable=True),
    at("received_at"),
    at("applied_at", nullable=True),
    Column("rows", Integer, nullable=False),
    Column("body", Sealed("workbook.body"), nullable=False),  # base64; last: it is long
)

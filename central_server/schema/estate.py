"""Sites, buildings, units, and the people of the records."""

from sqlalchemy import BigInteger, Column, String, Table, Text, UniqueConstraint

from central_server.clock import now_ms
from central_server.crypto import Sealed
from central_server.schema.base import key_id, metadata, to

site = Table(
    "site",
    metadata,
    key_id(),
    Column("code", String(64), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("zone", String(64), nullable=False),
)

building = Table(
    "building",
    metadata,
    key_id(),
    to("site"),
    Column("code", String(64), nullable=False),
    Column("name", Text, nullable=False),
    UniqueConstraint("site_id", "code"),
)

unit = Table(
    "unit",
    metadata,
    key_id(),
    to("building"),
    Column("code", String(64), nullable=False),
    Column("area_m2", Text),
    UniqueConstraint("building_id", "code"),
)

# Everybody the records know: owners, tenants, those who live here, those whose car it is.
person = Table(
    "person",
    metadata,
    key_id(),
    Column("code", String(64), nullable=False, unique=True),
    Column("name", Sealed("person.name"), nullable=False),
    Column("name_index", String(32), nullable=False, index=True),
    Column("phone", Sealed("person.phone")),
    Column("phone_index", String(32), index=True),
    Column("phone4_index", String(32), index=True),
    Column("id_number", Sealed("person.id_number")),
    Column("created_at", BigInteger, nullable=False, default=now_ms),
)

ownership = Table(
    "ownership",
    metadata,
    key_id(),
    to("unit"),
    to("person", "owner_id"),
    Column("from_on", String(10), nullable=False),
    Column("to_on", String(10)),
    UniqueConstraint("unit_id", "owner_id", "from_on"),
)

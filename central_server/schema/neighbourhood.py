"""Parking places and who rents them, notices and who read them, visitors, and what residents agreed to."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, PrimaryKeyConstraint, String, Table, Text
from sqlalchemy import UniqueConstraint as Unique

from central_server.crypto import Sealed
from central_server.schema.base import at, key_id, metadata, to

# A fixed place is let to one at a time, a shared one to as many as it has spaces.
parking_place = Table(
    "parking_place",
    metadata,
    key_id(),
    to("site"),
    Column("code", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("spaces", Integer, nullable=False),
    at("created_at"),
    Unique("site_id", "code"),
)

# What a place costs a month, from a month on until the next price.
parking_price = Table(
    "parking_price",
    metadata,
    key_id(),
    to("parking_place", "place_id"),
    Column("from_period", String(7), nullable=False),
    Column("month_fen", BigInteger, nullable=False),
    Unique("place_id", "from_period"),
)

# Whole months, the last one included; none: until somebody ends it.
parking_lease = Table(
    "parking_lease",
    metadata,
    key_id(),
    to("parking_place", "place_id"),
    to("unit"),
    to("person", nullable=True),
    Column("from_period", String(7), nullable=False),
    Column("to_period", String(7)),
    at("created_at"),
    Index(None, "place_id", "from_period"),
    Index(None, "unit_id"),
)

# Through which month a site's fees were made; what was missed since is made up for.
parking_fees = Table(
    "parking_fees",
    metadata,
    to("site"),
    Column("period", String(7), nullable=False),
    at("made_at"),
    PrimaryKeyConstraint("site_id", "period"),
)

notice = Table(
    "notice",
    metadata,
    key_id(),
    to("site"),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("is_emergency", Boolean(create_constraint=False), nullable=False),
    at("expires_at", nullable=True),
    at("created_at"),
    Column("created_by", String(64), nullable=False),
    at("published_at", nullable=True),
    Column("published_by", String(64)),
    at("withdrawn_at", nullable=True),
    Column("version", Integer, nullable=False),
    Index(None, "site_id", "published_at"),
)

# Whom a notice is for; without a row it is for the whole site.
notice_building = Table(
    "notice_building",
    metadata,
    to("notice"),
    to("building"),
    PrimaryKeyConstraint("notice_id", "building_id"),
)

notice_read = Table(
    "notice_read",
    metadata,
    to("notice"),
    to("account"),
    to("person"),
    at("read_at"),
    PrimaryKeyConstraint("notice_id", "account_id"),
    Index(None, "person_id"),
)

visitor = Table(
    "visitor",
    metadata,
    key_id(),
    to("site"),
    to("unit"),
    to("person"),  # whose guest it is
    Column("name", Sealed("visitor.name"), nullable=False),
    Column("phone", Sealed("visitor.phone")),
    Column("plate", Sealed("visitor.plate")),
    at("from_at"),
    at("until_at"),
    Column("state", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    at("created_at"),
    at("decided_at", nullable=True),
    Column("decided_by", String(64)),
    Column("reason", Sealed("visitor.reason")),
    at("arrived_at", nullable=True),
    at("left_at", nullable=True),
    Column("once_key", String(64), nullable=False, unique=True),
    Index(None, "site_id", "state", "from_at"),
    Index(None, "person_id", "created_at"),
)

# What a person agreed to, in which wording, and until when.
consent = Table(
    "consent",
    metadata,
    key_id(),
    to("person"),
    Column("kind", String(32), nullable=False),
    Column("wording", Integer, nullable=False),
    at("given_at"),
    at("withdrawn_at", nullable=True),
    Index(None, "person_id", "kind"),
)

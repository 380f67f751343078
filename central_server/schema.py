"""Every table of the centre; migrations build the same, and a test compares the two.

Units: ``*_at`` are milliseconds since 1970 in UTC, ``*_on`` ISO dates, ``*_fen`` integer fen.
A reading's value is mantissa * 10 ** exponent, both NULL where there is none.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts up only a column that is exactly INTEGER; PostgreSQL wants the 64 bits.
_Key = BigInteger().with_variant(Integer(), "sqlite")


_PENDING = text("expanded_at IS NULL AND error IS NULL")


def _id() -> Column[int]:
    return Column("id", _Key, primary_key=True, autoincrement=True)


def _to(table: str, name: str | None = None, *, nullable: bool = False) -> Column[int]:
    return Column(name or f"{table}_id", _Key, ForeignKey(f"{table}.id"), nullable=nullable)


def _at(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


site = Table(
    "site",
    metadata,
    _id(),
    Column("code", String(64), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("zone", String(64), nullable=False),
)

building = Table(
    "building",
    metadata,
    _id(),
    _to("site"),
    Column("code", String(64), nullable=False),
    Column("name", Text, nullable=False),
    UniqueConstraint("site_id", "code"),
)

unit = Table(
    "unit",
    metadata,
    _id(),
    _to("building"),
    Column("code", String(64), nullable=False),
    Column("area_m2", Text),
    UniqueConstraint("building_id", "code"),
)

owner = Table(
    "owner",
    metadata,
    _id(),
    Column("code", String(64), nullable=False, unique=True),
    Column("name", Text, nullable=False),
)

ownership = Table(
    "ownership",
    metadata,
    _id(),
    _to("unit"),
    _to("owner"),
    Column("from_on", String(10), nullable=False),
    Column("to_on", String(10)),
    UniqueConstraint("unit_id", "owner_id", "from_on"),
)

gateway = Table(
    "gateway",
    metadata,
    _id(),
    Column("edge_id", String(32), nullable=False, unique=True),
    _to("site"),
    Column("name", Text, nullable=False),
    Column("secret_hash", String(64), nullable=False),
    _at("created_at"),
    _at("revoked_at", nullable=True),
    _at("last_seen_at", nullable=True),
    Column("status", Text),
)

device = Table(
    "device",
    metadata,
    _id(),
    _to("gateway"),
    Column("code", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("bus", String(64), nullable=False),
    Column("profile", String(128), nullable=False),
    Column("address", String(64), nullable=False),
    _at("first_seen_at"),
    UniqueConstraint("gateway_id", "code"),
)

series = Table(
    "series",
    metadata,
    _id(),
    _to("device"),
    Column("point", String(64), nullable=False),
    Column("unit", String(16), nullable=False),
    UniqueConstraint("device_id", "point", "unit"),
)

# The epoch is a random 64-bit number and would not fit a signed column: it is kept as text.
lane_mark = Table(
    "lane_mark",
    metadata,
    _to("gateway"),
    Column("epoch", String(20), nullable=False),
    Column("lane", Integer, nullable=False),
    Column("high_seq", BigInteger, nullable=False),
    PrimaryKeyConstraint("gateway_id", "epoch", "lane"),
)

batch = Table(
    "batch",
    metadata,
    _id(),
    _to("gateway"),
    Column("epoch", String(20), nullable=False),
    Column("lane", Integer, nullable=False),
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("from_seq", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
    _at("received_at"),
    _at("expanded_at", nullable=True),
    Column("error", Text),
    Column("body", LargeBinary, nullable=False),  # last: SQLite reads through it to whatever stands behind
    UniqueConstraint("gateway_id", "epoch", "lane", "from_seq"),
)
# What waits to be expanded is found without a look at the rest of the log.
Index("ix_batch_pending", batch.c.lane, batch.c.id, sqlite_where=_PENDING, postgresql_where=_PENDING)

reading = Table(
    "reading",
    metadata,
    _id(),
    _to("series"),
    _at("taken_at"),
    Column("mantissa", BigInteger),
    Column("exponent", Integer),
    Column("quality", Integer, nullable=False),
    _to("batch"),
    Column("seq", BigInteger, nullable=False),
    Index(None, "series_id", "taken_at"),
)

latest = Table(
    "latest",
    metadata,
    Column("series_id", _Key, ForeignKey("series.id"), primary_key=True, autoincrement=False),
    _at("taken_at"),
    Column("mantissa", BigInteger),
    Column("exponent", Integer),
    Column("quality", Integer, nullable=False),
    _to("batch"),
)

event = Table(
    "event",
    metadata,
    _id(),
    _to("gateway"),
    _to("batch"),
    Column("seq", BigInteger, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("subject", String(128), nullable=False),
    _at("at"),
    Column("body", Text, nullable=False),
    Index(None, "subject", "at"),
)

alarm = Table(
    "alarm",
    metadata,
    _id(),
    Column("key", String(255), nullable=False, unique=True),
    _to("gateway", nullable=True),
    Column("subject", String(128), nullable=False),
    Column("condition", String(64), nullable=False),
    Column("priority", Integer, nullable=False),
    _at("raised_at"),
    _at("cleared_at", nullable=True),
    _at("acknowledged_at", nullable=True),
    Column("acknowledged_by", Text),
    Column("detail", Text, nullable=False),
    Index(None, "cleared_at", "raised_at"),
)

account = Table(
    "account",
    metadata,
    _id(),
    Column("login", String(64), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("language", String(8), nullable=False),
    Column("is_disabled", Boolean(create_constraint=False), nullable=False),
    _at("created_at"),
)

session = Table(
    "session",
    metadata,
    _id(),
    Column("token_hash", String(64), nullable=False, unique=True),
    _to("account"),
    Column("csrf", String(64), nullable=False),
    _at("created_at"),
    _at("last_seen_at"),
    _at("expires_at"),
    Column("peer", String(64), nullable=False),
    _at("ended_at", nullable=True),
)

metering_point = Table(
    "metering_point",
    metadata,
    _id(),
    _to("unit"),
    Column("code", String(64), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("tariff", String(64), nullable=False),
)

# The meter is named as its gateway names it, so that records can be written before it is first heard.
installation = Table(
    "installation",
    metadata,
    _id(),
    _to("metering_point"),
    _to("device", nullable=True),
    Column("edge_id", String(32), nullable=False),
    Column("device_code", String(64), nullable=False),
    Column("point", String(64), nullable=False),
    Column("multiplier", Text, nullable=False),
    _at("from_at"),
    _at("to_at", nullable=True),
    Column("initial_mantissa", BigInteger),
    Column("initial_exponent", Integer),
    UniqueConstraint("metering_point_id", "from_at"),
)

bill_run = Table(
    "bill_run",
    metadata,
    _id(),
    _to("site"),
    Column("period", String(7), nullable=False),
    _at("through_at"),
    _at("created_at"),
    Column("created_by", Text, nullable=False),
    Column("input_hash", String(64), nullable=False),
    Column("output_hash", String(64), nullable=False),
    Column("totals", Text, nullable=False),
)

bill = Table(
    "bill",
    metadata,
    _id(),
    Column("number", String(32), nullable=False, unique=True),
    _to("bill_run", "run_id"),
    _to("unit"),
    Column("owner_name", Text, nullable=False),
    Column("period", String(7), nullable=False),
    _at("from_at"),
    _at("through_at"),
    Column("due_on", String(10), nullable=False),
    Column("total_fen", BigInteger, nullable=False),
    _at("issued_at"),
    Index(None, "unit_id", "period"),
)

bill_line = Table(
    "bill_line",
    metadata,
    _id(),
    _to("bill"),
    Column("position", Integer, nullable=False),
    _to("metering_point"),
    Column("description_key", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("quantity", Text, nullable=False),
    Column("unit", String(16), nullable=False),
    Column("unit_price", Text),
    Column("amount_fen", BigInteger, nullable=False),
    _at("opening_at"),
    _at("closing_at"),
    Column("trace", Text, nullable=False),
    UniqueConstraint("metering_point_id", "opening_at"),
)

"""Doors, credentials, the rules handed down, decisions; alarms with a site and with notes."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _id() -> sa.Column[int]:
    return sa.Column("id", _Key, primary_key=True, autoincrement=True)


def _to(table: str, name: str | None = None, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name or f"{table}_id", _Key, sa.ForeignKey(f"{table}.id"), nullable=nullable)


def _same(table: str) -> sa.Column[int]:
    """Give a key that is another table's."""
    return sa.Column(f"{table}_id", _Key, sa.ForeignKey(f"{table}.id"), primary_key=True, autoincrement=False)


def _at(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def upgrade() -> None:
    _make_doors()
    _make_credentials()
    _make_decisions()
    _widen_alarm()


def _make_doors() -> None:
    op.create_table(
        "door",
        _same("device"),
        _to("building", nullable=True),
        sa.Column("pulse_ms", sa.Integer(), nullable=False),
        sa.Column("held_open_s", sa.Integer(), nullable=False),
    )
    op.create_table(
        "door_group",
        _id(),
        _to("site"),
        sa.Column("name", sa.String(64), nullable=False),
        sa.UniqueConstraint("site_id", "name"),
    )
    op.create_table(
        "door_group_member",
        _to("door_group", "group_id"),
        _to("device"),
        sa.PrimaryKeyConstraint("group_id", "device_id"),
    )
    op.create_table(
        "door_schedule",
        _id(),
        _to("site"),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("windows", sa.Text(), nullable=False),
        sa.Column("holidays", sa.Text(), nullable=False),
        sa.UniqueConstraint("site_id", "name"),
    )
    op.create_table(
        "door_rules",
        _same("gateway"),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        _at("issued_at"),
        sa.Column("body", sa.LargeBinary(), nullable=False),
    )


def _make_credentials() -> None:
    op.create_table(
        "credential",
        _id(),
        _to("site"),
        _to("person"),
        sa.Column("basis", sa.String(16), nullable=False),
        sa.Column("bits", sa.Integer(), nullable=False),
        sa.Column("number", sa.LargeBinary(), nullable=False),
        sa.Column("number_index", sa.String(32), nullable=False),
        sa.Column("active_key", sa.String(64), unique=True),
        sa.Column("from_on", sa.String(10)),
        sa.Column("to_on", sa.String(10)),
        _at("created_at"),
        sa.Column("created_by", sa.String(64), nullable=False),
        _at("revoked_at", nullable=True),
        sa.Column("revoked_by", sa.String(64)),
    )
    for name in ("number_index", "site_id", "person_id"):
        op.create_index(f"ix_credential_{name}", "credential", [name])
    op.create_table(
        "credential_grant",
        _id(),
        _to("credential"),
        _to("door_group", "group_id"),
        _to("door_schedule", "schedule_id", nullable=True),
        sa.UniqueConstraint("credential_id", "group_id"),
    )


def _make_decisions() -> None:
    op.create_table(
        "door_decision",
        _id(),
        sa.Column("decision_id", sa.String(128), nullable=False, unique=True),
        _to("site"),
        _to("gateway"),
        _to("device", nullable=True),
        sa.Column("door_code", sa.String(64), nullable=False),
        _at("at"),
        sa.Column("is_granted", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        _to("credential", nullable=True),
        _to("person", nullable=True),
        sa.Column("card_bits", sa.Integer()),
        sa.Column("card_number", sa.LargeBinary()),
        sa.Column("card_index", sa.String(32)),
        sa.Column("rules_version", sa.BigInteger()),
        sa.Column("is_offline", sa.Boolean(), nullable=False),
        sa.Column("by", sa.String(64)),
    )
    for name in ("site_id", "device_id", "person_id"):
        op.create_index(f"ix_door_decision_{name}_at", "door_decision", [name, "at"])


def _widen_alarm() -> None:
    """Say of which site an alarm is: the centre raises some that no gateway told of."""
    key = _Key.compile(dialect=op.get_bind().dialect)
    # Written out: SQLite takes a reference only together with its column.
    op.execute(f"ALTER TABLE alarm ADD COLUMN site_id {key} CONSTRAINT fk_alarm_site_id_site REFERENCES site (id)")
    op.execute("UPDATE alarm SET site_id = (SELECT site_id FROM gateway WHERE gateway.id = alarm.gateway_id)")
    op.add_column("alarm", sa.Column("gone_at", sa.BigInteger()))
    op.create_table(
        "alarm_note",
        _id(),
        _to("alarm"),
        _at("at"),
        sa.Column("kind", sa.String(16), nullable=False),
        _to("account", nullable=True),
        sa.Column("login", sa.String(64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("text", sa.LargeBinary()),
    )
    op.create_index("ix_alarm_note_alarm_id", "alarm_note", ["alarm_id"])

"""People with roles, personal columns sealed, the audit, photos, codes and the outbox."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from central_server.clock import now_ms
from central_server.crypto import Sealed, vault_of

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _id() -> sa.Column[int]:
    return sa.Column("id", _Key, primary_key=True, autoincrement=True)


def upgrade() -> None:
    _make_person()
    _move_owners()
    _seal_bills()
    _widen_account()
    op.create_table(
        "sign_in_code",
        _id(),
        sa.Column("account_id", _Key, sa.ForeignKey("account.id"), nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("used_at", sa.BigInteger()),
    )
    op.create_index("ix_sign_in_code_account_id_created_at", "sign_in_code", ["account_id", "created_at"])
    op.create_table(
        "outbox",
        _id(),
        sa.Column("person_id", _Key, sa.ForeignKey("person.id"), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger()),
    )
    _make_audit()
    _make_photo()


def _make_person() -> None:
    op.create_table(
        "person",
        _id(),
        sa.Column("code", sa.String(64), nullable=False, unique=True),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("name_index", sa.String(32), nullable=False),
        sa.Column("phone", sa.LargeBinary()),
        sa.Column("phone_index", sa.String(32)),
        sa.Column("phone4_index", sa.String(32)),
        sa.Column("id_number", sa.LargeBinary()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
    )
    for name in ("name_index", "phone_index", "phone4_index"):
        op.create_index(f"ix_person_{name}", "person", [name])


def _move_owners() -> None:
    """Seal the owners' names and point the ownerships at them, each with the number it had."""
    bind = op.get_bind()
    for key, code, name in bind.execute(sa.text("SELECT id, code, name FROM owner")).all():
        index = vault_of(bind.dialect).blind(name, "name")
        row: dict[str, Any] = {"id": key, "code": code, "name": name, "name_index": index, "created_at": now_ms()}
        bind.execute(_person().insert().values(row))
    ownerships = bind.execute(sa.text("SELECT id, unit_id, owner_id, from_on, to_on FROM ownership")).mappings().all()
    op.drop_table("ownership")
    op.drop_table("owner")
    made = op.create_table(
        "ownership",
        _id(),
        sa.Column("unit_id", _Key, sa.ForeignKey("unit.id"), nullable=False),
        sa.Column("owner_id", _Key, sa.ForeignKey("person.id"), nullable=False),
        sa.Column("from_on", sa.String(10), nullable=False),
        sa.Column("to_on", sa.String(10)),
        sa.UniqueConstraint("unit_id", "owner_id", "from_on"),
    )
    for each in ownerships:
        bind.execute(made.insert().values(dict(each)))
    if bind.dialect.name == "postgresql":  # it counts apart from the rows
        for table in ("person", "ownership"):
            bind.execute(
                sa.text(f"SELECT setval('{table}_id_seq', (SELECT coalesce(max(id), 1) FROM {table}))")  # noqa: S608  # our two names
            )


def _person() -> sa.Table:
    names = ("id", "code", "name_index", "created_at")
    columns = (sa.Column(name, sa.BigInteger() if name in ("id", "created_at") else sa.Text()) for name in names)
    return sa.Table("person", sa.MetaData(), *columns, sa.Column("name", Sealed("person.name")))


def _seal_bills() -> None:
    bind = op.get_bind()
    rows = bind.execute(sa.text("SELECT id, owner_name FROM bill")).all()
    op.execute("ALTER TABLE bill DROP COLUMN owner_name")
    op.add_column("bill", sa.Column("owner_name", sa.LargeBinary()))
    bill = sa.Table(
        "bill", sa.MetaData(), sa.Column("id", sa.BigInteger()), sa.Column("owner_name", Sealed("bill.owner_name"))
    )
    for key, name in rows:
        bind.execute(bill.update().where(bill.c.id == key).values(owner_name=name))


def _widen_account() -> None:
    """Give accounts a role; those there are could do everything and still can."""
    key = _Key.compile(dialect=op.get_bind().dialect)
    op.add_column("account", sa.Column("role", sa.String(32)))
    # Written out: SQLite takes a reference only together with its column.
    for column, table in (("site_id", "site"), ("person_id", "person")):
        op.execute(
            f"ALTER TABLE account ADD COLUMN {column} {key} CONSTRAINT fk_account_{column}_{table} REFERENCES {table} (id)"
        )
    op.add_column("account", sa.Column("must_change", sa.Boolean()))
    op.add_column("account", sa.Column("secret_until", sa.BigInteger()))
    op.execute("UPDATE account SET role = 'administrator'")


def _make_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", _Key, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("account_id", _Key, sa.ForeignKey("account.id")),
        sa.Column("login", sa.String(64), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("peer", sa.String(64), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("prev_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False, unique=True),
    )
    for name in ("subject", "at"):
        op.create_index(f"ix_audit_{name}", "audit", [name])


def _make_photo() -> None:
    op.create_table(
        "photo",
        _id(),
        sa.Column("ref", sa.String(32), nullable=False, unique=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("kind_id", _Key, nullable=False),
        sa.Column("site_id", _Key, sa.ForeignKey("site.id"), nullable=False),
        sa.Column("person_id", _Key, sa.ForeignKey("person.id")),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_photo_kind_kind_id", "photo", ["kind", "kind_id"])

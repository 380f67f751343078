"""What every table is made with.

Units: ``*_at`` are milliseconds since 1970 in UTC, ``*_on`` ISO dates, ``*_fen`` integer fen.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, MetaData

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts up only a column that is exactly INTEGER; PostgreSQL wants the 64 bits.
Key = BigInteger().with_variant(Integer(), "sqlite")


def key_id() -> Column[int]:
    """Give a table's own key."""
    return Column("id", Key, primary_key=True, autoincrement=True)


def to(table: str, name: str | None = None, *, nullable: bool = False) -> Column[int]:
    """Give a column that names a row of another table."""
    return Column(name or f"{table}_id", Key, ForeignKey(f"{table}.id"), nullable=nullable)


def at(name: str, *, nullable: bool = False) -> Column[int]:
    """Give a column for an instant, in milliseconds since 1970 in UTC."""
    return Column(name, BigInteger, nullable=nullable)

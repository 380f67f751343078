"""What every command works on: the settings and the database, opened and closed as one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import select

from central_server.config import Config, find_config, load_config
from central_server.crypto import load_vault
from central_server.db import Database
from central_server.migrate import KEYLESS, database_version, require_current
from central_server.schema import bill, person


@asynccontextmanager
async def open_context(
    config_file: Path | None, *, must_be_current: bool = True
) -> AsyncIterator[tuple[Config, Database]]:
    """Open the settings file named, or found, and its database.

    Raises: SettingsError for the settings, UsageError for a database that is not of this version.
    """
    config = load_config(find_config(config_file))
    database = Database(config.database)
    try:
        if must_be_current:
            await require_current(database)
        may_make = await database_version(database) in KEYLESS
        database.take_vault(load_vault(config.key_file, may_make=may_make))
        if must_be_current:
            await require_key(database)
        yield config, database
    finally:
        await database.close()


async def require_key(database: Database) -> None:
    """Open something that is sealed: with another key nothing more may be sealed beside it. Raises: UsageError."""
    async with database.read() as connection:
        (await connection.execute(select(person.c.name).limit(1))).all()
        (await connection.execute(select(bill.c.owner_name).where(bill.c.owner_name.is_not(None)).limit(1))).all()

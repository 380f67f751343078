"""Bring a database to this version's schema, and refuse one that is newer."""

import asyncio
import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError

from central_server.db import Database, look_at
from central_server.errors import UsageError

# The schemas under which nothing was sealed yet: only there may a new key be made.
KEYLESS = (None, "0001")
_FOLDER = Path(__file__).with_name("migrations")


def _alembic(connection: Connection | None = None) -> AlembicConfig:
    config = AlembicConfig()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def newest_version() -> str:
    """Name the schema version this code works with."""
    return ScriptDirectory.from_config(_alembic()).get_current_head() or ""


def _known_versions() -> set[str]:
    return {script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()}


async def database_version(database: Database) -> str | None:
    """Read a database's schema version, None for a new one; a SQLite file is not written to.

    Raises: UsageError for a file that is no database of ours.
    """
    try:
        if database.path is not None:
            tables, version = await asyncio.to_thread(look_at, database.path)
        else:
            async with database.engine.connect() as connection:
                tables, version = await connection.run_sync(_look_at)
    except (DBAPIError, sqlite3.OperationalError, OSError) as error:
        raise _unreachable(database, error) from None
    except sqlite3.DatabaseError as error:
        raise UsageError(
            "database_damaged",
            "{path} cannot be read as a database: {problem}. Restore it from a backup, or name another in the settings.",
            path=str(database.path),
            problem=str(error),
        ) from None
    if version is None and tables - {"alembic_version"}:
        raise UsageError(
            "database_foreign",
            "The database {url} holds tables of another program. Nothing was changed. Name another in the settings.",
            url=_shown(database),
        )
    return version


def _look_at(connection: Connection) -> tuple[frozenset[str], str | None]:
    version = MigrationContext.configure(connection).get_current_revision()
    return frozenset(inspect(connection).get_table_names()), version


def _unreachable(database: Database, error: Exception) -> UsageError:
    text = "The database {url} cannot be opened: {problem}. Check the address and the rights of its folder."
    return UsageError("database_unreachable", text, url=_shown(database), problem=str(error.__cause__ or error))


def _shown(database: Database) -> str:
    return database.url.render_as_string(hide_password=True)


async def require_current(database: Database) -> None:
    """Make sure that the schema is this version's.

    Raises: UsageError that names the remedy for an older, newer or empty database.
    """
    version = await database_version(database)
    if version == newest_version():
        return
    if version is None:
        raise UsageError("database_empty", "The database has no tables yet. Run 'central migrate' first.")
    await _refuse_newer(database, version)
    raise UsageError(
        "database_older",
        "The database has schema {version}, this version needs {wanted}. Make a backup, then run 'central migrate'.",
        version=version,
        wanted=newest_version(),
    )


async def _refuse_newer(database: Database, version: str) -> None:
    if version not in _known_versions():
        raise UsageError(
            "database_newer",
            "The database {url} has schema {version}, which is newer than this version of Gatehouse (schema {wanted}). "
            "Nothing was changed. Install the version that wrote it, or restore a backup made before it.",
            url=_shown(database),
            version=version,
            wanted=newest_version(),
        )


async def migrate(database: Database) -> tuple[str | None, str]:
    """Bring a database to this version; give the schema before and after.

    Raises: UsageError for a newer or damaged database, which stays untouched.
    """
    before = await database_version(database)
    if before is not None:
        await _refuse_newer(database, before)
    if before != newest_version():
        if database.path is not None:
            try:
                database.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                # Made before SQLite would make it, so that nobody else can read it for a moment.
                database.path.touch(mode=0o600)
            except OSError as error:
                raise _unreachable(database, error) from None
        async with database.write() as connection:
            await connection.run_sync(lambda sync: command.upgrade(_alembic(sync), "head"))
    return before, newest_version()

"""Migrations: the same tables as schema.py, and never a touch on what is not ours."""

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select, text

from central_server.billing.period import parse_instant
from central_server.billing.reading_store import last_good
from central_server.db import Database
from central_server.errors import UsageError
from central_server.live import Hub
from central_server.migrate import database_version, migrate, newest_version, require_current
from central_server.schema import metadata, rollup
from central_server.telemetry.compaction import compact
from central_server.telemetry.expansion import Expander
from tests.central_server.blocks import kept_readings
from tests.central_server.vault import VAULT

ROOT = Path(__file__).resolve().parents[2]


def database(path: Path) -> Database:
    return Database(f"sqlite:///{path}", VAULT)


def tables(path: Path) -> dict[str, object]:
    """Give every table's columns, keys and indexes as SQLite has them."""
    connection = sqlite3.connect(path)
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found: dict[str, object] = {}
    for name in sorted(set(names) - {"alembic_version", "sqlite_sequence"}):
        indexes = connection.execute(f"SELECT * FROM pragma_index_list('{name}')").fetchall()
        found[name] = (
            connection.execute(
                f"SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info('{name}')"
            ).fetchall(),
            sorted(connection.execute(f'SELECT "table", "from", "to" FROM pragma_foreign_key_list(\'{name}\')')),
            sorted(
                (unique, origin, partial, [row[2] for row in connection.execute(f"PRAGMA index_info('{index}')")])
                for _, index, unique, origin, partial in indexes
            ),
        )
    found["indexes"] = sorted(
        row[0].replace("\n", " ")
        for row in connection.execute("SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    )
    connection.close()
    return found


async def test_migrations_build_the_tables_of_the_schema(tmp_path: Path) -> None:
    db = database(tmp_path / "migrated.db")
    await migrate(db)
    await db.close()
    engine = create_engine(f"sqlite:///{tmp_path / 'made.db'}")
    metadata.create_all(engine)
    engine.dispose()
    migrated = tables(tmp_path / "migrated.db")
    assert migrated == tables(tmp_path / "made.db")
    assert len(migrated) > 20


async def test_a_new_database_gets_its_folder_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "data" / "central.db"
    db = database(path)
    assert await migrate(db) == (None, newest_version())
    await require_current(db)
    await db.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    db = database(tmp_path / "central.db")
    await migrate(db)
    assert await migrate(db) == (newest_version(), newest_version())
    await db.close()


async def test_an_empty_database_says_to_migrate(tmp_path: Path) -> None:
    db = database(tmp_path / "central.db")
    with pytest.raises(UsageError, match="central migrate"):
        await require_current(db)
    assert not (tmp_path / "central.db").exists()
    await db.close()


async def test_a_newer_database_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "central.db"
    db = database(path)
    await migrate(db)
    await db.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    db = database(path)
    for refuse in (migrate, require_current):
        with pytest.raises(UsageError, match=r"9999.*newer.*Nothing was changed.*Install the version"):
            await refuse(db)
    await db.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.close()
    assert tables(path) == tables_of(before, tmp_path)


def tables_of(data: bytes, folder: Path) -> dict[str, object]:
    (folder / "before.db").write_bytes(data)
    return tables(folder / "before.db")


async def test_an_older_database_says_to_make_a_backup_and_migrate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = database(tmp_path / "central.db")
    await migrate(db)
    newest = newest_version()
    monkeypatch.setattr("central_server.migrate.newest_version", lambda: "9999")
    with pytest.raises(UsageError, match=rf"schema {newest}.*needs 9999.*backup.*central migrate"):
        await require_current(db)
    await db.close()


async def test_another_programs_database_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "photos.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE photo (id INTEGER PRIMARY KEY)")
    connection.close()
    db = database(path)
    with pytest.raises(UsageError, match="tables of another program"):
        await migrate(db)
    await db.close()
    assert set(tables(path)) == {"photo", "indexes"}


async def test_a_damaged_file_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "central.db"
    path.write_bytes(b"this is not a database" * 100)
    db = database(path)
    for refuse in (migrate, database_version):
        with pytest.raises(UsageError, match=r"central\.db cannot be read as a database.*backup"):
            await refuse(db)
    await db.close()
    assert path.read_bytes() == b"this is not a database" * 100


async def test_a_folder_that_takes_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "central.db").mkdir()
    db = database(tmp_path / "central.db")
    with pytest.raises(UsageError, match=r"central\.db"):
        await database_version(db)
    await db.close()


def test_the_built_wheel_brings_its_migrations(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    (tmp_path / "central.toml").write_text("[central]\n")
    command = [sys.executable, "-m", "central_server", "-c", "central.toml", "migrate"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "installed")}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "site" in tables(tmp_path / "data" / "central.db")
    where = subprocess.run(
        [sys.executable, "-c", "import central_server.migrate as m; print(m.__file__)"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert where.stdout.startswith(str(tmp_path / "installed"))


@pytest.fixture
async def upgraded(tmp_path: Path) -> AsyncIterator[tuple[Database, sqlite3.Connection]]:
    """A centre of schema 0010, upgraded and run for a moment, beside what it was."""
    with closing(sqlite3.connect(tmp_path / "central.db")) as connection:
        connection.executescript((Path(__file__).parent / "dumps" / "0010.sql").read_text(encoding="utf-8"))
    shutil.copy(tmp_path / "central.db", tmp_path / "before.db")
    db = database(tmp_path / "central.db")
    assert await migrate(db) == ("0010", newest_version())
    expander = Expander(db, Hub())
    while await expander.expand_next():
        pass
    await compact(db, Hub(), parse_instant("2027-01-02T00:00:00Z"))
    with closing(sqlite3.connect(tmp_path / "before.db")) as before:
        yield db, before
    await db.close()


async def test_readings_that_were_rows_are_packed_and_none_is_lost_or_doubled(upgraded: Any) -> None:
    db, before = upgraded
    old = before.execute("SELECT batch_id, seq, series_id, taken_at, mantissa, exponent, quality FROM reading")
    kept = [tuple(row) for row in await kept_readings(db)]
    assert sorted(row for row in kept if row[0] != 8) == sorted(map(tuple, old)), "each with its evidence"
    assert [row[3:6] for row in kept if row[0] == 8] == [(1_796_076_000_000, 840, 0)], "what waited is expanded"
    for table in ("event", "alarm", "bill", "bill_line", "bill_run", "device", "series"):
        async with db.read() as connection:
            now = [tuple(row) for row in await connection.execute(text(f"SELECT * FROM {table}"))]
        was = before.execute(f"SELECT * FROM {table}").fetchall()
        assert [row[: len(was[0])] for row in now] == was, f"{table} stays as it was"


async def test_a_bill_made_before_the_upgrade_still_finds_its_readings_and_sums_are_there(upgraded: Any) -> None:
    db, before = upgraded
    trace = json.loads(before.execute("SELECT trace FROM bill_line").fetchone()[0])
    async with db.read() as connection:
        for end in ("opening", "closing"):
            at = parse_instant(trace[end]["at"])
            read = await last_good(connection, 1, at, at)
            assert read is not None
            assert read.to_json("kWh") == trace[end]
        month = select(rollup).where(rollup.c.span == "month", rollup.c.series_id == 1).order_by(rollup.c.start)
        november, december = (await connection.execute(month)).all()
    assert (november.first, november.last, november.exponent, november.bad) == ("10050", "83025", -2, 1)
    assert (december.first, december.last, december.exponent) == ("8315", "8400", -1)

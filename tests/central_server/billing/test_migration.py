"""Bills issued before there were charges keep every line."""

from pathlib import Path

from alembic import command
from sqlalchemy import text

from central_server.db import Database
from central_server.migrate import _alembic, migrate
from tests.central_server.vault import VAULT

LINE = (
    "INSERT INTO bill_line (id, bill_id, position, metering_point_id, description_key, kind, quantity, unit, unit_price, "
    "amount_fen, opening_at, closing_at, trace) VALUES (7, 1, 1, 1, 'electricity', 'metered', '1.5', 'kWh', NULL, 73, 1, 2, '{}')"
)
BEFORE = (
    "INSERT INTO site (id, code, name, zone) VALUES (1, 'lake', 'L', 'Asia/Shanghai')",
    "INSERT INTO building (id, site_id, code, name) VALUES (1, 1, '1', '1')",
    "INSERT INTO unit (id, building_id, code) VALUES (1, 1, '1-101')",
    "INSERT INTO metering_point (id, unit_id, code, kind, tariff) VALUES (1, 1, 'E', 'electricity', 'flat')",
    "INSERT INTO bill_run (id, site_id, period, through_at, created_at, created_by, input_hash, output_hash, totals) "
    "VALUES (1, 1, '2026-10', 2, 3, 'x', '', '', '{}')",
    "INSERT INTO bill (id, number, run_id, unit_id, period, from_at, through_at, due_on, total_fen, issued_at) "
    "VALUES (1, 'B-1', 1, 1, '2026-10', 1, 2, '2026-11-15', 73, 3)",
    LINE,
)


async def test_lines_of_an_older_database_are_all_kept_and_their_numbers_go_on(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path / 'central.db'}", VAULT)
    async with db.write() as connection:
        await connection.run_sync(lambda sync: command.upgrade(_alembic(sync), "0006"))
        for statement in BEFORE:
            await connection.execute(text(statement))
        old = (await connection.execute(text("SELECT * FROM bill_line"))).mappings().one()
    await migrate(db)
    async with db.write() as connection:
        new = (await connection.execute(text("SELECT * FROM bill_line"))).mappings().one()
        assert dict(new) == {**old, "source_key": None}
        await connection.execute(text(LINE.replace("(7, 1, 1, 1,", "(NULL, 1, 2, NULL,")))
        assert await connection.scalar(text("SELECT max(id) FROM bill_line")) == 8
    await db.close()

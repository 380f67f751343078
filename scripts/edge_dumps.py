"""Write tests/edge_agent/dumps/NNNN.sql: a store with a few records, as each schema of the gateway leaves it.

A dump of a released schema is never written again: python -m scripts.edge_dumps 9
"""

import argparse
import sqlite3
from contextlib import closing
from pathlib import Path

from edge_agent.store_file import APPLICATION_ID, statements

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "edge_agent" / "schema"
DUMPS = ROOT / "tests" / "edge_agent" / "dumps"
STORE = "INSERT INTO store (edge_id, epoch, created_at) VALUES ('gw-1', '16102570135257832241', 1767225600000)"
ROWS = """
INSERT INTO series (id, device, point, unit) VALUES
    (1, 'em-1', 'energyImportTotal', 'kWh'), (2, 'wm-1', 'volumeTotal', 'm3');
INSERT INTO record (lane, seq, series_id, at, mantissa, exponent, quality, raw, event) VALUES
    (0, 1, NULL, 1767225601000, NULL, NULL, NULL, NULL,
     '["alarm","device:em-1",{"state":"raised","priority":2}]'),
    (2, 3, 1, 1767225602000, 2041735, -2, 0, NULL, NULL),
    (2, 4, 2, 1767225603000, NULL, 0, 2, X'FF01', NULL),
    (3, 1, 1, 1767225604000, -5, 0, 0, NULL, NULL);
UPDATE lane SET next_seq = 2 WHERE lane = 0;
UPDATE lane SET next_seq = 5, acked_seq = 2 WHERE lane = 2;
UPDATE lane SET next_seq = 2 WHERE lane = 3;
"""


def dump(version: int) -> str:
    """Give the SQL of a store of a version."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for script in sorted(SCHEMA.glob("[0-9]*.sql")):
            if int(script.stem) > version:
                break
            for statement in statements(script.read_text()):
                connection.execute(statement)
            if int(script.stem) == 1:
                connection.execute(STORE)
        connection.executescript(ROWS)
        heads = (f"PRAGMA application_id = {APPLICATION_ID};", f"PRAGMA user_version = {version};")
        return "\n".join((f"-- A store as schema {version:04} left it.", *heads, *connection.iterdump())) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("versions", type=int, nargs="+", help="which schemas")
    for version in parser.parse_args().versions:
        (DUMPS / f"{version:04}.sql").write_text(dump(version))


if __name__ == "__main__":
    main()

"""A look at the store leaves no trace."""

import sqlite3
from pathlib import Path

import pytest

from edge_agent.check.fact.store import open_store
from edge_agent.store_file import connect


def test_a_store_is_read_beside_its_writer_and_alone_and_nothing_is_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "edge.db"
    writer = connect(path, "gw-1")
    writer.execute("INSERT INTO series (device, point, unit) VALUES ('a', 'b', 'kWh')")
    with open_store(path) as reader:
        assert reader.execute("SELECT count(*) FROM series").fetchone() == (1,)
        with pytest.raises(sqlite3.OperationalError):
            reader.execute("DELETE FROM series")
    writer.close()
    before = sorted(tmp_path.iterdir())
    with open_store(path) as reader:
        assert reader.execute("SELECT count(*) FROM series").fetchone() == (1,)
        assert sorted(tmp_path.iterdir()) == before

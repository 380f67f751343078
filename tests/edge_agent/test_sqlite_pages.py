"""Rows are read from a SQLite file's pages as SQLite itself reads them, log and overflow pages included."""

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.sqlite_pages import Pages, free_pages, page_size, read_log, rows_of, walk

values = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=40), st.binary(max_size=3000), st.sampled_from([0, 1])
)
tables = st.lists(st.tuples(st.integers(-(2**40), 2**40), values, values), max_size=60, unique_by=lambda row: row[0])


def open_pages(path: Path) -> Pages:
    content, log = path.read_bytes(), path.with_name(path.name + "-wal").read_bytes()
    size = page_size(content, log)
    newest = read_log(log, size)
    count = max(len(content) // size, *newest, 0)
    return Pages(size, count, lambda number: newest.get(number) or content[(number - 1) * size : number * size])


@settings(max_examples=25, deadline=None)
@given(tables, st.sampled_from([512, 4096]), st.data())
def test_every_row_is_read_and_no_other(rows: list[tuple[int, object, object]], size: int, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(sqlite3.connect(Path(folder) / "x.db")) as connection:
        connection.isolation_level = None
        connection.execute(f"PRAGMA page_size = {size}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE plain (id INTEGER PRIMARY KEY, a, b)")
        connection.execute("CREATE TABLE keyed (id INTEGER PRIMARY KEY, a, b) WITHOUT ROWID")
        cut = data.draw(st.integers(0, len(rows)))
        for part in (rows[:cut], rows[cut:]):
            connection.execute("BEGIN")
            for table in ("plain", "keyed"):
                connection.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", part)
            connection.execute("COMMIT")
            if data.draw(st.booleans()):
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("DELETE FROM keyed WHERE id % 3 = 0")
        roots = dict(connection.execute("SELECT name, rootpage FROM sqlite_schema").fetchall())
        pages = open_pages(Path(folder) / "x.db")
        seen = bytearray(pages.count + 1)
        free_pages(pages, seen)
        assert sum(seen) == connection.execute("PRAGMA freelist_count").fetchone()[0]
        plain = {(row.rowid, *row.values[1:]) for row in walk(pages, roots["plain"], bytearray(pages.count + 1))}
        assert plain == {(row[0], *row[1:]) for row in rows}
        keyed = {row.values for row in walk(pages, roots["keyed"], seen)}
        assert keyed == {row for row in rows if row[0] % 3}


@settings(max_examples=50, deadline=None)
@given(st.binary(min_size=512, max_size=512), st.binary(max_size=3000))
def test_garbage_gives_no_row_that_breaks_anything(page: bytes, log: bytes) -> None:
    pages = Pages(512, 1, lambda _: page)
    for start in (b"", b"\x0a", b"\x0d", b"\x02"):
        list(rows_of(pages, start + page[len(start) :], 2))
    assert isinstance(read_log(b"\x37\x7f\x06\x82" + log, 512), dict)

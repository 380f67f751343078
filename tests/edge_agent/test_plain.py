"""Plain readings go into the store as columns, and stand there as if each had been stored by itself."""

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.plain import insert_plain
from edge_agent.row import Row, to_parts, to_rows
from edge_agent.store_file import connect
from protocols.quantity import Quality
from protocols.record import Event, Lane, Reading, Record, Series

SERIES = [Series(f"em-{number}", "powerActive", "W") for number in range(3)]
IDS = {series: number for number, series in enumerate(SERIES, 7)}
COLUMNS = "lane, seq, series_id, at, mantissa, exponent, quality, raw, event, seal"

VALUES = (
    st.sampled_from([Decimal(text) for text in ("0", "-0.5", "12.50", "1E+3", "NaN", "9" * 30, "1E-19")]) | st.none()
)
READINGS = st.builds(
    Reading,
    st.sampled_from(SERIES),
    st.integers(1_767_225_600_000, 1_767_225_600_002),
    VALUES,
    st.sampled_from(Quality),
    st.sampled_from([b"", b"", b"", b"\xff\xff"]),
)
ALL = READINGS | st.just(Event("alarm", "em-1", 5, {"code": 1}))


def stored(connection: sqlite3.Connection, lane: Lane, first: int, records: list[Record]) -> list[Row]:
    connection.execute("BEGIN")
    plain, others = to_parts(lane, first, records, IDS)
    if plain is not None:
        insert_plain(connection, lane, plain)
    connection.executemany(f"INSERT INTO record ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", others)
    found = connection.execute(f"SELECT {COLUMNS} FROM record ORDER BY seq").fetchall()
    connection.execute("ROLLBACK")
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(data=st.data(), first=st.integers(1, 2**50), lane=st.sampled_from(Lane))
def test_what_is_stored_by_columns_is_what_is_stored_row_by_row(
    tmp_path: Path, data: st.DataObject, first: int, lane: Lane
) -> None:
    # Polls of one instant, good and not, longer than a statement's block and cut anywhere; then anything between them.
    poll = [Reading(SERIES[n % 3], 1_767_225_600_000, Decimal(n).scaleb(-(n % 4))) for n in range(230)]
    records: list[Record] = [*poll[: data.draw(st.integers(0, 230))]]
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(records)))
        records[place:place] = data.draw(st.lists(ALL, max_size=3))
    with closing(connect(tmp_path / "edge.db", "gw-1")) as connection:
        assert stored(connection, lane, first, records) == to_rows(lane, first, records, IDS)

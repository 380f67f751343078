"""The store's file: opening it, its schema, what it says about itself, reading it from outside."""

import contextlib
import fcntl
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from edge_agent.row import JoinedRow, from_rows
from edge_agent.seal import seal_record, seal_texts
from protocols.record import Lane, Record

# "GHst": tells our file from any other SQLite file, also in the output of file(1).
APPLICATION_ID = 0x47487374
_SCHEMA = Path(__file__).parent / "schema"
_BUSY_TIMEOUT_S = 5.0
# A look from outside may find the file as an older version of the service has left it.
_CHAIN_VERSION = 3
SEAL_VERSION = 6
_THINNED_VERSION = 10
_ABSENT_VERSION = 12
_LOOKED_AT = 5000  # records at a time
_NO_CHAIN = "''"
ASIDE = "When the service next starts, it saves what can be read into a new store and keeps the damaged file."

_PEEK = """
SELECT r.seq, s.device, s.point, s.unit, r.at, r.mantissa, r.exponent, r.quality, r.raw, r.event
FROM record AS r LEFT JOIN series AS s ON s.id = r.series_id
WHERE r.lane = ? AND r.seq > ? ORDER BY r.seq LIMIT ?
"""

_PEEK_SEALED = _PEEK.replace("r.event", "r.event,r.seal,r.series_id")


class StoreError(Exception):
    """What the store could not do, and what a person can do about it."""


class StoreFull(StoreError):
    """There is no room on the disk; nothing was written, and what was written before is safe."""


class StoreDamaged(StoreError):
    """The file is not what was written to it."""


class StoreStrange(StoreError):
    """The file is not a store that this gateway can use as it is."""


class LaneState(NamedTuple):
    """How far a lane is; ``chain`` is the digest of the batch that ends at ``acked_seq``, "" where it is not known.

    Units: ``oldest_at`` is milliseconds UTC, None where nothing is pending.
    """

    next_seq: int
    acked_seq: int
    pending: int
    oldest_at: int | None
    chain: str = ""


class Identity(NamedTuple):
    """Whose store a file is; ``epoch`` is a random 64-bit number made with the file."""

    edge_id: str
    epoch: int


def read_lanes(path: Path) -> dict[Lane, LaneState]:
    """Read how far each lane is, whether the service runs or not.

    Raises: StoreError.
    """
    with reading(path) as connection:
        return load_lanes(connection)


def peek_records(path: Path, lane: Lane, limit: int, after_seq: int = 0) -> list[tuple[int, Record]]:
    """Read the oldest pending records of a lane after a number, each with its own, whether the service runs or not.

    Raises: StoreError.
    """
    with reading(path) as connection:
        rows = select_records(connection, lane, after_seq, limit)
        return [(row[0], record) for row, record in zip(rows, from_rows(rows), strict=True)]


def find_faults(path: Path) -> list[str]:
    """Look at every page and every record of a store; give what is wrong as sentences.

    Raises: StoreError for a file that cannot be read at all.
    """
    with reading(path) as connection:
        told = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
        found = [] if told == ["ok"] else told
        for lane, state in load_lanes(connection).items():
            count, first, last = connection.execute(
                "SELECT count(*), min(seq), max(seq) FROM record WHERE lane = ?", (int(lane),)
            ).fetchone()
            wanted = (state.pending, state.acked_seq + 1, state.next_seq - 1) if state.pending else (0, None, None)
            is_sparse = state.acked_seq < sparse_until(connection, lane) and _fits(state, first, last, last or 0)
            if (count, first, last) != wanted and not is_sparse:
                found.append(f"the {lane.word} lane holds {count} records, {first} to {last}, and counts {wanted}")
            found += _unlike(connection, lane)
    return found


def _unlike(connection: sqlite3.Connection, lane: Lane) -> Iterator[str]:
    """Say which records of a lane are not what was stored."""
    after = 0
    while True:
        try:
            rows = select_records(connection, lane, after, _LOOKED_AT)
        except sqlite3.DatabaseError as error:
            yield str(error)
            return
        if not rows:
            return
        after = rows[-1][0]


def read_identity(path: Path) -> Identity:
    """Read whose store a file is, whether the service runs or not.

    Raises: StoreError.
    """
    with reading(path) as connection:
        return load_identity(connection)


def lock(path: Path) -> int:
    """Take the store for this process and give the lock's file descriptor.

    Two services on one file would give one number to two records.

    Raises: StoreError naming the process that has it.
    """
    lock_path = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise StoreError(
            f"{path}: the folder cannot be written to ({error.strerror}). Give this user the right to write in {path.parent}."
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise StoreError(
            f"{path}: the store is in use by process {holder}. Stop that service, or give this one a data folder of its own."
        ) from None
    # The number is a help for people only; a full disk must not keep the gateway from starting.
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def connect(path: Path, edge_id: str) -> sqlite3.Connection:
    """Open the store for writing; make it where there is none, bring an older one up to date.

    Raises: StoreError: another gateway's, a newer version's or somebody else's file, or a damaged one.
    """
    try:
        connection = sqlite3.connect(path, _BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise explained(path, error) from None
    try:
        _check_origin(connection, path)
        # FULL: a committed record survives a power cut; NORMAL lost 2,474 of 11,441 in a test.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cell_size_check = ON")
        _migrate(connection, edge_id)
        _check_whole(connection, path, edge_id)
    except sqlite3.Error as error:
        connection.close()
        raise explained(path, error) from None
    except StoreError:
        connection.close()
        raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open a store that is known to be whole, for reading beside its writer.

    Raises: StoreError.
    """
    try:
        connection = sqlite3.connect(path, _BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA query_only = ON")
    except sqlite3.Error as error:
        raise explained(path, error) from None
    return connection


def load_identity(connection: sqlite3.Connection) -> Identity:
    edge_id, epoch = connection.execute("SELECT edge_id, epoch FROM store").fetchone()
    return Identity(edge_id, int(epoch))


def load_lanes(connection: sqlite3.Connection) -> dict[Lane, LaneState]:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    columns = (
        f"{'chain' if version >= _CHAIN_VERSION else _NO_CHAIN}, {'absent' if version >= _ABSENT_VERSION else '0'}"
    )
    query = f"SELECT lane, next_seq, acked_seq, {columns} FROM lane ORDER BY lane"  # noqa: S608 - constants
    return {
        Lane(lane): LaneState(
            next_seq,
            acked_seq,
            still_pending(next_seq, acked_seq, next_seq - 1 - acked_seq - absent),
            instant_of(connection, lane, acked_seq + 1),
            chain,
        )
        for lane, next_seq, acked_seq, chain, absent in connection.execute(query).fetchall()
    }


def still_pending(next_seq: int, acked_seq: int, count: int) -> int:
    """Keep a count within what the numbers allow: the newest record of a lane always stays until its Ack."""
    return max(min(1, next_seq - 1 - acked_seq), min(count, next_seq - 1 - acked_seq))


def store_lane(connection: sqlite3.Connection, lane: Lane, state: LaneState) -> None:
    numbers = (state.next_seq, state.acked_seq, state.chain)
    absent = max(0, state.next_seq - 1 - state.acked_seq - state.pending)
    connection.execute(
        "UPDATE lane SET next_seq = ?, acked_seq = ?, chain = ?, seal = ?, absent = ? WHERE lane = ?",
        (*numbers, seal_texts(int(lane), *numbers), absent, int(lane)),
    )


def instant_of(connection: sqlite3.Connection, lane: int, seq: int) -> int | None:
    row = connection.execute("SELECT at FROM record WHERE lane = ? AND seq = ?", (lane, seq)).fetchone()
    return None if row is None else row[0]


def select_records(connection: sqlite3.Connection, lane: Lane, after_seq: int, limit: int) -> list[JoinedRow]:
    """Read rows in sequence.

    Raises: sqlite3.DatabaseError, as SQLite itself does, where one is not what was stored.
    """
    has_seal = connection.execute("PRAGMA user_version").fetchone()[0] >= SEAL_VERSION
    rows = connection.execute(_PEEK_SEALED if has_seal else _PEEK, (int(lane), after_seq, limit)).fetchall()
    if not has_seal:
        return rows
    number = int(lane)
    for seq, device, _, _, at, mantissa, exponent, quality, raw, event, seal, series_id in rows:
        told = seal_record(number, seq, series_id, at, mantissa, exponent, quality, raw, event)
        if (seal is not None and seal != told) or (device is None) != (series_id is None):
            raise damage(f"record {seq} of the {lane.word} lane is not what was stored")
    return [row[:10] for row in rows]


def damage(reason: str) -> sqlite3.DatabaseError:
    """Make the error that SQLite would give, had it noticed."""
    error = sqlite3.DatabaseError(reason)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def explained(path: Path, error: sqlite3.Error) -> StoreError:
    """Say what a fault of SQLite means for a person."""
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return StoreFull(
            f"{path}: the disk is full; nothing was stored. Free some space: the service goes on by itself."
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreDamaged(f"{path}: the store is damaged ({error}). {ASIDE}")
    if "to UTF-8" in str(error):  # Python's own, without a code: a bit of a text is wrong
        return StoreDamaged(f"{path}: the store is damaged (a text is not UTF-8). {ASIDE}")
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_IOERR_SHORT_READ:
        return StoreDamaged(f"{path}: the store was cut ({error}). {ASIDE}")
    if code == sqlite3.SQLITE_CANTOPEN:
        return StoreError(f"{path}: the store cannot be opened. Check that the folder exists and this user may use it.")
    if code == sqlite3.SQLITE_READONLY:
        return StoreError(
            f"{path}: the store is read-only. Check the file's owner and whether the disk is mounted read-only."
        )
    if code == sqlite3.SQLITE_BUSY:
        return StoreError(f"{path}: another program has locked the store. Close it; the service goes on by itself.")
    if code == sqlite3.SQLITE_IOERR:
        return StoreError(f"{path}: the disk failed ({error}); nothing was stored. Look for its errors in dmesg.")
    return StoreStrange(f"{path}: {error}; nothing was stored.")


def known_version() -> int:
    return max(int(script.stem) for script in _SCHEMA.glob("[0-9]*.sql"))


def _check_origin(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a newer version's and a stranger's file before anything is written to it."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application != APPLICATION_ID and (tables or version or application):
        raise StoreStrange(f"{path}: this is a database, but not a Gatehouse store. Set [edge] data to another folder.")
    if version > known_version():
        raise StoreStrange(
            f"{path}: the store has schema version {version}, this program knows versions up to {known_version()}; "
            f"nothing was changed. Install the Gatehouse version that wrote it, or a newer one."
        )


def _migrate(connection: sqlite3.Connection, edge_id: str) -> None:
    """Run the schema files that this store has not seen, each whole or not at all."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    for script in sorted(_SCHEMA.glob("[0-9]*.sql")):
        number = int(script.stem)
        if number <= version:
            continue
        connection.execute("BEGIN IMMEDIATE")
        with _rolled_back_on_error(connection):
            for statement in statements(script.read_text()):
                connection.execute(statement)
            if number == 1:
                created = (edge_id, str(secrets.randbits(64)), int(time.time() * 1000))
                connection.execute("INSERT INTO store (edge_id, epoch, created_at) VALUES (?, ?, ?)", created)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")


@contextlib.contextmanager
def _rolled_back_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error:
        roll_back(connection)
        raise


def roll_back(connection: sqlite3.Connection) -> None:
    # SQLite rolls back by itself after some faults; a second try would be an error of its own.
    if connection.in_transaction:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")


def statements(script: str) -> Iterator[str]:
    # executescript() would commit first, and a schema half applied is worse than none.
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _check_whole(connection: sqlite3.Connection, path: Path, edge_id: str) -> None:
    """Compare the kept counts with the ends of each lane: a few seeks, whatever the file's size."""
    identity = connection.execute("SELECT edge_id FROM store").fetchall()
    if len(identity) != 1:
        raise StoreDamaged(f"{path}: the store names no gateway. {ASIDE}")
    if identity[0][0] != edge_id:
        raise StoreStrange(
            f"{path}: this is the store of gateway '{identity[0][0]}', not of '{edge_id}'. "
            f"Correct [edge] id, or set [edge] data to another folder."
        )
    lanes = load_lanes(connection)
    for lane in Lane:
        state = lanes.get(lane)
        found = connection.execute(
            "SELECT (SELECT min(seq) FROM record WHERE lane = ?1), (SELECT max(seq) FROM record WHERE lane = ?1)",
            (int(lane),),
        ).fetchone()
        if state is None or not _fits(state, found[0], found[1], sparse_until(connection, lane)):
            raise StoreDamaged(
                f"{path}: the {lane.word} lane holds the records {found[0]} to {found[1]}, which contradicts its counts "
                f"{state and state[:2]}. {ASIDE}"
            )


def sparse_until(connection: sqlite3.Connection, lane: Lane) -> int:
    """Say up to which number records of a lane may be missing: a salvage or a thinning has told of those."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version < SEAL_VERSION:
        return 0
    query = f"SELECT max({lane.word}_seq) FROM past_epoch"  # noqa: S608 - constants
    salvaged = connection.execute(query).fetchone()[0] or 0
    if version < _THINNED_VERSION:
        return salvaged
    thinned = connection.execute("SELECT max(to_seq) FROM thinned WHERE lane = ?", (int(lane),)).fetchone()[0] or 0
    return max(salvaged, thinned)


def _fits(state: LaneState, first: int | None, last: int | None, sparse_until: int) -> bool:
    if first is None or last is None:
        return state.pending == 0
    is_whole = first == state.acked_seq + 1 or state.acked_seq < first <= sparse_until
    return state.pending > 0 and is_whole and last == state.next_seq - 1


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a store for a look from outside that leaves no trace."""
    if not path.exists():
        raise StoreError(f"{path}: there is no store yet. It is made when the service first runs.")
    # Without a -wal nobody has the store open; immutable then needs no right to write in the folder.
    idle = not path.with_name(path.name + "-wal").exists()
    uri = f"file:{quote(str(path.absolute()))}?mode=ro{'&immutable=1' if idle else ''}"
    try:
        with contextlib.closing(sqlite3.connect(uri, _BUSY_TIMEOUT_S, isolation_level=None, uri=True)) as connection:
            _check_origin(connection, path)
            if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
                raise StoreError(f"{path}: the store is empty. It is filled when the service first runs.")
            connection.execute("BEGIN")  # one view of the lanes and their records
            yield connection
    except sqlite3.Error as error:
        raise explained(path, error) from None

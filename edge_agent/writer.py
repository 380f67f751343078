"""The one thread that writes the store: appends and acks, many to a commit."""

import contextlib
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from edge_agent.history import keep
from edge_agent.origin import MarkKeeper
from edge_agent.outage_log import keep_outages
from edge_agent.plain import insert_plain
from edge_agent.reserve import Reserve
from edge_agent.row import RecordRefused, check_series, to_parts
from edge_agent.seal import seal_texts
from edge_agent.store_file import (
    ASIDE,
    LaneState,
    StoreDamaged,
    StoreError,
    StoreFull,
    connect,
    explained,
    instant_of,
    load_lanes,
    roll_back,
    still_pending,
    store_lane,
)
from protocols.record import Event, Lane, Record, Series

_log = logging.getLogger(__name__)

# Lanes whose records are acted on as soon as they are stored: they never wait for company.
_URGENT = frozenset({Lane.SAFETY, Lane.CONTROL})
_GROUP_RECORDS = 20_000
# Free pages inside the file that serve readings as well as free space on the disk: 4 MiB.
_FREE_PAGES = 1024
_LOOK_FOR_ROOM_S = 5.0
# After these the connection's idea of the file cannot be trusted; after a failed fsync least of all.
_FATAL = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

_INSERT = (
    "INSERT INTO record (lane, seq, series_id, at, mantissa, exponent, quality, raw, event, seal) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_NOTE = "INSERT INTO note (device, point, state) VALUES (?, ?, ?) ON CONFLICT (device, point) DO UPDATE SET state = excluded.state"


@dataclass(frozen=True, slots=True)
class Append:
    """Records to store, with notes by (device, point) that change with them.

    Shape: ``done`` gives the last record's number after the commit.
    """

    lane: Lane
    records: Sequence[Record]
    done: "Future[int]" = field(default_factory=Future)
    notes: Mapping[tuple[str, str], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ack:
    """Records to delete up to a number, and the digest of the batch that ends there.

    Shape: ``done`` gives the lane's acknowledged number.
    """

    lane: Lane
    seq: int
    chain: str
    done: "Future[int]" = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class Change:
    """Something else to keep, in its turn between appends and acks.

    Shape: ``apply`` is called inside the transaction, on the writer's thread, with the lanes as they then
    are, and may put others in their place; it raises ``StoreError`` before it writes, or not at all. ``done`` gives 0.
    """

    apply: Callable[[sqlite3.Connection, dict[Lane, LaneState]], None]
    done: "Future[int]" = field(default_factory=Future)


Request = Append | Ack | Change


_NO_ROOM = (
    "{path}: the disk is full; the last room is kept for alarms and acknowledgements, and no reading was stored. "
    "Free some space: the service goes on by itself."
)


_OVER_QUOTA = (
    "{path}: the store has reached its quota, and no telemetry was stored; registers still are. "
    "Bring the centre back, or raise [edge] quota: the service goes on by itself."
)


def _is_precious(request: Request) -> bool:
    return isinstance(request, Ack | Change) or request.lane in _URGENT


def _worth(request: Request) -> int:
    return int(request.lane) if isinstance(request, Append) else -1


class _SeriesIds(dict[Series, int]):
    """Numbers of series, given out by the file when one is first met."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute("SELECT device, point, unit, id FROM series").fetchall()
        super().__init__({Series(device, point, unit): number for device, point, unit, number in rows})
        self._connection = connection

    def __missing__(self, series: Series) -> int:
        check_series(series)
        cursor = self._connection.execute("INSERT INTO series (device, point, unit) VALUES (?, ?, ?)", series)
        number = self[series] = int(cursor.lastrowid or 0)
        self._connection.execute("UPDATE series SET seal = ? WHERE id = ?", (seal_texts(number, *series), number))
        return number


class Writer:
    """Owner of the store's writing connection.

    Shape: ``lanes`` is replaced, never changed, after each commit; any thread may read it.
    """

    def __init__(
        self, path: Path, edge_id: str, connection: sqlite3.Connection, reserve: Reserve, window_s: float
    ) -> None:
        self._path = path
        self._reserve = reserve
        self._looked_at = -_LOOK_FOR_ROOM_S
        self._edge_id = edge_id
        self._window_s = window_s
        self._connection: sqlite3.Connection | None = connection
        self._series = _SeriesIds(connection)
        self.lanes: dict[Lane, LaneState] = load_lanes(connection)
        self._marks = MarkKeeper(path, connection)
        self._marks.keep(self.lanes)
        self._queue: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._committed_at = -window_s
        self._is_closed = False
        self.refuses_telemetry = False
        self._guard = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def series(self) -> dict[Series, int]:
        """Give the numbers of all series met so far; one that is met meanwhile may be missing."""
        return dict(self._series)

    def submit(self, request: Request) -> None:
        """Hand a request to the thread.

        Raises: StoreError after ``stop``.
        """
        with self._guard:  # nothing may get into the queue behind the last item
            if self._is_closed:
                raise StoreError(f"{self._path}: the store is closed.")
            self._queue.put(request)

    def stop(self) -> None:
        """Commit what waits, end the thread and close the file."""
        with self._guard:
            if not self._is_closed:
                self._is_closed = True
                self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_open = True
        while is_open:
            group, is_open = self._gather()
            group = [request for request in group if request.done.set_running_or_notify_cancel()]
            if group:
                self._serve_safely(group)
        self._disconnect()
        self._marks.close()

    def _gather(self) -> tuple[list[Request], bool]:
        """Collect what shares the next commit: at once after a rest, at most one window later in a rush."""
        group: list[Request] = []
        size = 0
        is_urgent = False
        while size < _GROUP_RECORDS:
            wait = 0.0 if is_urgent else self._committed_at + self._window_s - time.monotonic()
            try:
                request = self._queue.get() if not group else self._queue.get(timeout=max(0.0, wait))
            except queue.Empty:
                break
            if request is None:
                return group, False
            group.append(request)
            is_urgent = is_urgent or _is_precious(request)
            size += len(request.records) if isinstance(request, Append) else 1
        return group, True

    def _serve_safely(self, group: list[Request]) -> None:
        try:
            self._serve(group)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the thread all lanes depend on
            _log.exception("store: a request could not be served")
            self._disconnect()
            left = [request for request in group if not request.done.done()]
            if len(group) == 1 and left:
                left[0].done.set_exception(error)
            elif len(group) > 1:
                for request in left:
                    self._serve_safely([request])

    def _serve(self, group: list[Request]) -> None:
        """Commit a group and answer each request; on a fault try them singly, Acks and the precious first."""
        try:
            answers, lanes = self._commit(group)
        except sqlite3.Error as error:
            self._recover(error)
            fault = explained(self._path, error)
            if len(group) > 1:
                for request in sorted(group, key=_worth):
                    self._serve([request])
            elif isinstance(fault, StoreFull) and _is_precious(group[0]) and self._reserve.is_held:
                self._reserve.release()
                self._serve(group)
            else:
                group[0].done.set_exception(fault)
            return
        except StoreError as error:
            for request in group:
                request.done.set_exception(error)
            return
        self.lanes = lanes
        self._marks.keep(lanes)
        if any(isinstance(request, Append) for request in group):
            self._committed_at = time.monotonic()
        for request, answer in zip(group, answers, strict=True):
            if isinstance(answer, int):
                request.done.set_result(answer)
            else:
                request.done.set_exception(answer)

    def _commit(self, group: list[Request]) -> tuple[list[int | Exception], dict[Lane, LaneState]]:
        connection = self._connected()
        has_room = self._has_room(connection)
        lanes = dict(self.lanes)
        answers: list[int | Exception] = []
        connection.execute("BEGIN IMMEDIATE")
        for request in group:
            try:
                if not (has_room or _is_precious(request)):
                    raise StoreFull(_NO_ROOM.format(path=self._path))
                if self.refuses_telemetry and isinstance(request, Append) and request.lane is Lane.TELEMETRY:
                    raise StoreFull(_OVER_QUOTA.format(path=self._path))
                if isinstance(request, Change):
                    request.apply(connection, lanes)
                    answers.append(0)
                    continue
                state = lanes[request.lane]
                if isinstance(request, Append):
                    lanes[request.lane] = self._append(connection, state, request)
                    answers.append(lanes[request.lane].next_seq - 1)
                else:
                    lanes[request.lane] = self._ack(connection, state, request)
                    answers.append(lanes[request.lane].acked_seq)
            except (RecordRefused, StoreError) as error:
                answers.append(error)
        for lane, state in lanes.items():
            if state is not self.lanes[lane]:
                store_lane(connection, lane, state)
        connection.execute("COMMIT")
        return answers, lanes

    def _has_room(self, connection: sqlite3.Connection) -> bool:
        """Say whether readings may be stored: never out of the room kept for alarms and Acks."""
        if self._reserve.is_held:
            return True
        if time.monotonic() - self._looked_at >= _LOOK_FOR_ROOM_S:
            self._looked_at = time.monotonic()
            if self._reserve.hold():
                return True
        return bool(connection.execute("PRAGMA freelist_count").fetchone()[0] >= _FREE_PAGES)

    def _append(self, connection: sqlite3.Connection, state: LaneState, request: Append) -> LaneState:
        if request.notes:
            connection.executemany(_NOTE, [(*key, note) for key, note in request.notes.items()])
        if not request.records:
            return state
        plain, others = to_parts(request.lane, state.next_seq, request.records, self._series)
        if plain is not None:
            insert_plain(connection, request.lane, plain)
        connection.executemany(_INSERT, others)
        if request.lane is Lane.CONTROL:
            keep_outages(connection, request.records)
        first = request.records[0]
        oldest_at = state.oldest_at if state.pending else first.at if isinstance(first, Event) else first.taken_at
        count = len(request.records)
        return state._replace(next_seq=state.next_seq + count, pending=state.pending + count, oldest_at=oldest_at)

    def _ack(self, connection: sqlite3.Connection, state: LaneState, request: Ack) -> LaneState:
        if request.seq >= state.next_seq:
            raise StoreError(
                f"{self._path}: the {request.lane.word} lane ends at {state.next_seq - 1}; {request.seq} cannot be acknowledged."
            )
        if request.seq <= state.acked_seq:
            return state
        lane = int(request.lane)
        keep(connection, request.lane, state.acked_seq + 1, request.seq, time.time_ns() // 1_000_000)
        gone = connection.execute("DELETE FROM record WHERE lane = ? AND seq <= ?", (lane, request.seq)).rowcount
        oldest_at = instant_of(connection, lane, request.seq + 1)
        pending = still_pending(state.next_seq, request.seq, state.pending - gone)
        return LaneState(state.next_seq, request.seq, pending, oldest_at, request.chain)

    def _connected(self) -> sqlite3.Connection:
        """Give the connection, opened anew after a fault of the disk."""
        if self._connection is None:
            connection = connect(self._path, self._edge_id)
            try:
                lanes = self._without_ghosts(connection)
                self._series = _SeriesIds(connection)
            except BaseException:
                connection.close()
                raise
            self.lanes = lanes
            self._connection = connection
        return self._connection

    def _without_ghosts(self, connection: sqlite3.Connection) -> dict[Lane, LaneState]:
        """Delete what a failed commit has left behind, and give the lanes as they then are.

        When only the last sync of a commit fails, its records are found in the file again
        though their caller was told that they are not stored, and may have stored them anew.
        """
        found = load_lanes(connection)
        lost = [lane.word for lane, state in found.items() if state.next_seq < self.lanes[lane].next_seq]
        if lost:
            raise StoreDamaged(
                f"{self._path}: the disk lost records that it had confirmed, lanes {', '.join(lost)}. {ASIDE}"
            )
        connection.execute("BEGIN IMMEDIATE")
        for lane, known in self.lanes.items():
            if found[lane].next_seq > known.next_seq:
                connection.execute("DELETE FROM record WHERE lane = ? AND seq >= ?", (int(lane), known.next_seq))
                pending = found[lane].pending - (found[lane].next_seq - known.next_seq)
                store_lane(connection, lane, found[lane]._replace(next_seq=known.next_seq, pending=pending))
        connection.execute("COMMIT")
        return load_lanes(connection)

    def _recover(self, error: sqlite3.Error) -> None:
        _log.warning("store: %s", error)
        if self._connection is None:
            return
        roll_back(self._connection)
        # New series of the failed commit are gone from the file; so must they be from memory.
        if (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF in _FATAL:
            self._disconnect()
            return
        try:
            self._series = _SeriesIds(self._connection)
        except sqlite3.Error:
            self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

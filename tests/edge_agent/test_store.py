"""What the store has accepted it gives back, in order, until it is acknowledged."""

import asyncio
import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.store import (
    LaneState,
    RecordRefused,
    Store,
    StoreDamaged,
    StoreError,
    peek_records,
    read_identity,
    read_lanes,
)
from protocols.quantity import Quality
from protocols.sync import Event, Lane, Reading, Record, Series

POWER = Series("em-1", "powerTotal", "W")


def reading(at: int, value: str = "1.0") -> Reading:
    return Reading(POWER, at, Decimal(value))


def alarm(at: int) -> Event:
    return Event("alarm", "device:em-1", at, {"state": "raised", "priority": 2})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "edge.db"


async def test_records_come_back_in_order_with_contiguous_numbers(path: Path) -> None:
    async with await Store.open(path, "gw-1") as store:
        records: list[Record] = [reading(1), alarm(2), Reading(POWER, 3, None, Quality.INVALID, b"\xff")]
        assert await store.append(Lane.TELEMETRY, records) == 3
        assert await store.append(Lane.TELEMETRY, [reading(4)]) == 4
        assert (await store.peek(Lane.TELEMETRY, 0, 10))[:2] == (1, (*records, reading(4)))
        assert (await store.peek(Lane.TELEMETRY, 1, 2))[:2] == (2, tuple(records[1:3]))
        assert (await store.peek(Lane.TELEMETRY, 4, 10))[:2] == (5, ())


async def test_the_order_is_that_of_storing_whatever_the_clock_says(path: Path) -> None:
    jumping: list[Record] = [reading(at) for at in (5_000, 9_000, 1, 7_000, 2)]
    async with await Store.open(path, "gw-1") as store:
        await store.append(Lane.BILLING, jumping[:3])
        await store.append(Lane.BILLING, jumping[3:])
        assert (await store.peek(Lane.BILLING, 0, 10)).records == tuple(jumping)


async def test_lanes_are_numbered_apart(path: Path) -> None:
    async with await Store.open(path, "gw-1") as store:
        await store.append(Lane.BILLING, [reading(1), reading(2)])
        assert await store.append(Lane.SAFETY, [alarm(3)]) == 1
        assert store.lanes()[Lane.BILLING] == LaneState(3, 0, 2, 1)
        assert store.lanes()[Lane.SAFETY] == LaneState(2, 0, 1, 3)
        assert store.lanes()[Lane.CONTROL] == LaneState(1, 0, 0, None)


async def test_an_ack_deletes_and_the_numbers_go_on_after_it(path: Path) -> None:
    async with await Store.open(path, "gw-1") as store:
        await store.append(Lane.BILLING, [reading(1), reading(2), reading(3)])
        await store.ack(Lane.BILLING, 2)
        await store.ack(Lane.BILLING, 1)
        assert store.lanes()[Lane.BILLING] == LaneState(4, 2, 1, 3)
        assert (await store.peek(Lane.BILLING, 0, 10))[:2] == (3, (reading(3),))
        await store.ack(Lane.BILLING, 3)
        assert store.lanes()[Lane.BILLING] == LaneState(4, 3, 0, None)
        assert await store.append(Lane.BILLING, [reading(9)]) == 4


async def test_an_ack_beyond_the_end_is_refused_and_deletes_nothing(path: Path) -> None:
    async with await Store.open(path, "gw-1") as store:
        await store.append(Lane.BILLING, [reading(1)])
        with pytest.raises(StoreError, match="ends at 1; 2 cannot be acknowledged"):
            await store.ack(Lane.BILLING, 2)
        assert (await store.peek(Lane.BILLING, 0, 10))[:2] == (1, (reading(1),))


async def test_a_store_opened_again_knows_its_numbers_and_its_epoch(path: Path) -> None:
    async with await Store.open(path, "gw-1") as store:
        await store.append(Lane.BILLING, [reading(1), reading(2)])
        await store.ack(Lane.BILLING, 2)
        epoch = store.epoch
    async with await Store.open(path, "gw-1") as store:
        assert store.epoch == epoch
        assert await store.append(Lane.BILLING, [reading(3)]) == 3, "an acknowledged number is never given twice"


async def test_two_stores_have_different_epochs(tmp_path: Path) -> None:
    async with await Store.open(tmp_path / "a.db", "gw-1") as a, await Store.open(tmp_path / "b.db", "gw-1") as b:
        assert a.epoch != b.epoch
        assert 0 <= a.epoch < 2**64


async def test_one_bad_record_is_refused_and_its_neighbours_are_stored(path: Path) -> None:
    async with await Store.open(path, "gw-1", window_s=0.05) as store:
        await store.append(Lane.TELEMETRY, [reading(0)])  # so that the next three share a commit
        good, bad, also_good = await asyncio.gather(
            store.append(Lane.TELEMETRY, [reading(1)]),
            store.append(Lane.TELEMETRY, [reading(2), Event("x", "y", 3, {"value": float("inf")})]),
            store.append(Lane.TELEMETRY, [reading(4)]),
            return_exceptions=True,
        )
        assert isinstance(bad, RecordRefused)
        assert {good, also_good} == {2, 3}
        assert (await store.peek(Lane.TELEMETRY, 1, 10)).records == (reading(1), reading(4))


async def test_a_fault_of_the_caller_does_not_end_the_writer(path: Path) -> None:
    async with await Store.open(path, "gw-1") as store:
        with pytest.raises(TypeError):
            await store.append(Lane.TELEMETRY, [None])  # type: ignore[list-item]
        with pytest.raises(StoreError):
            await store.append(Lane.TELEMETRY, [reading(1.5)])  # type: ignore[arg-type]
        assert await store.append(Lane.TELEMETRY, [reading(1)]) == 1


async def test_a_device_first_met_in_a_failed_commit_is_named_rightly_afterwards(path: Path) -> None:
    new = Series("em-2", "powerTotal", "W")
    async with await Store.open(path, "gw-1") as store:
        with pytest.raises(StoreError):
            await store.append(Lane.TELEMETRY, [Reading(new, 1, Decimal(1)), Reading(new, 1.5, Decimal(1))])  # type: ignore[arg-type]
        await store.append(Lane.TELEMETRY, [reading(2), Reading(new, 3, Decimal(1))])
        assert (await store.peek(Lane.TELEMETRY, 0, 9)).records == (reading(2), Reading(new, 3, Decimal(1)))


async def test_a_fault_of_one_caller_is_not_anothers(path: Path) -> None:
    async with await Store.open(path, "gw-1", window_s=0.05) as store:
        await store.append(Lane.TELEMETRY, [reading(0)])
        bad, good = await asyncio.gather(
            store.append(Lane.TELEMETRY, [None]),  # type: ignore[list-item]
            store.append(Lane.BILLING, [reading(1)]),
            return_exceptions=True,
        )
        assert (type(bad), good) == (TypeError, 1)


async def test_an_alarm_does_not_wait_for_readings_to_gather(path: Path) -> None:
    async with await Store.open(path, "gw-1", window_s=30) as store:
        await store.append(Lane.TELEMETRY, [reading(1)])
        waiting = asyncio.ensure_future(store.append(Lane.TELEMETRY, [reading(2)]))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        async with asyncio.timeout(5):
            await store.append(Lane.SAFETY, [alarm(3)])
            assert await waiting == 2, "what waits goes along with it"


async def test_readings_of_a_rush_share_a_commit(path: Path) -> None:
    async with await Store.open(path, "gw-1", window_s=0.2) as store:
        await store.append(Lane.TELEMETRY, [reading(0)])
        with sqlite3.connect(path) as outside:
            before = outside.execute("PRAGMA data_version").fetchone()
            rush = [asyncio.ensure_future(store.append(Lane.TELEMETRY, [reading(at)])) for at in range(50)]
            await asyncio.sleep(0.02)
            assert outside.execute("PRAGMA data_version").fetchone() == before, "nothing is committed yet"
            assert sorted(await asyncio.gather(*rush)) == list(range(2, 52))


async def test_closing_commits_what_waits_and_refuses_more(path: Path) -> None:
    store = await Store.open(path, "gw-1", window_s=30)
    await store.append(Lane.TELEMETRY, [reading(1)])
    waiting = asyncio.ensure_future(store.append(Lane.TELEMETRY, [reading(2)]))
    await asyncio.sleep(0)
    await store.close()
    assert await waiting == 2
    assert read_lanes(path)[Lane.TELEMETRY].pending == 2
    with pytest.raises(StoreError, match="closed"):
        await store.append(Lane.TELEMETRY, [reading(3)])
    await store.close()


async def test_an_append_wakes_the_sender(path: Path) -> None:
    async with await Store.open(path, "gw-1") as store:
        assert not store.wakeup.is_set()
        await store.append(Lane.TELEMETRY, [reading(1)])
        assert store.wakeup.is_set()


async def test_big_events_are_given_in_small_portions(path: Path) -> None:
    async with await Store.open(path, "gw-1") as store:
        events = [Event("note", "x", at, {"text": "é" * 30_000}) for at in range(20)]
        await store.append(Lane.CONTROL, events)
        first = await store.peek(Lane.CONTROL, 0, 100)
        assert 1 <= len(first.records) < 20
        assert first.records == tuple(events[: len(first.records)])


async def test_the_store_can_be_read_from_outside_while_it_is_open_and_after(path: Path) -> None:
    async with await Store.open(path, "gw-1") as store:
        await store.append(Lane.BILLING, [reading(1), reading(2)])
        await store.ack(Lane.BILLING, 1)
        during = (read_lanes(path), peek_records(path, Lane.BILLING, 5), read_identity(path))
        assert during == (store.lanes(), [(2, reading(2))], ("gw-1", store.epoch))
    files = sorted(path.parent.iterdir())
    assert (read_lanes(path), peek_records(path, Lane.BILLING, 5), read_identity(path)) == during
    assert sorted(path.parent.iterdir()) == files, "a look leaves no trace"


async def test_a_second_service_on_the_same_store_is_refused(path: Path) -> None:
    async with await Store.open(path, "gw-1"):
        with pytest.raises(StoreError, match=r"in use by process \d+"):
            await Store.open(path, "gw-1")
    async with await Store.open(path, "gw-1"):
        pass


async def test_a_look_where_there_is_no_store_says_so(path: Path) -> None:
    with pytest.raises(StoreError, match="no store yet"):
        read_lanes(path)


async def test_another_gateways_store_is_refused(path: Path) -> None:
    await (await Store.open(path, "gw-1")).close()
    with pytest.raises(StoreError, match=r"gateway 'gw-1', not of 'gw-2'.*\[edge\] id"):
        await Store.open(path, "gw-2")


async def test_a_store_of_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    await (await Store.open(path, "gw-1")).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    path.with_name("edge.db.marks").unlink()  # the newer version's own would say so too
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"edge\.db: .*version 99.*up to \d+; nothing was changed.*Install"):
        await Store.open(path, "gw-1")
    with pytest.raises(StoreError, match="version 99"):
        read_lanes(path)
    assert path.read_bytes() == before


async def test_somebody_elses_database_is_refused_and_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="not a Gatehouse store"):
        await Store.open(path, "gw-1")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"not a database at all, but long enough" * 100, b"SQLite format 3\x00" + b"\xee" * 5000]
)
async def test_a_file_that_is_no_database_is_kept_aside_and_the_gateway_starts(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreDamaged, match="damaged"):
        read_lanes(path)
    async with await Store.open(path, "gw-1") as store:
        await store.append(Lane.SAFETY, [alarm(1)])
    (kept,) = path.parent.glob("edge.db.damaged-*")
    assert kept.read_bytes() == content


async def test_a_record_missing_from_the_middle_is_never_skipped_in_silence(path: Path) -> None:
    async with await Store.open(path, "gw-1") as store:
        await store.append(Lane.TELEMETRY, [reading(at) for at in range(5)])
        with sqlite3.connect(path) as connection:
            connection.execute("DELETE FROM record WHERE seq = 3")
        connection.close()
        with pytest.raises(StoreDamaged, match="record 3 of the telemetry lane is missing"):
            await store.peek(Lane.TELEMETRY, 0, 10)


async def test_a_store_is_durable_on_every_commit(path: Path) -> None:
    async with await Store.open(path, "gw-1") as store:
        connection = store._writer._connection
        assert connection is not None
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.sampled_from(Lane), st.integers(0, 250)),
        st.tuples(st.just("ack"), st.sampled_from(Lane), st.integers(0, 300)),
        st.tuples(st.just("peek"), st.sampled_from(Lane), st.integers(0, 300)),
        st.tuples(st.just("reopen"), st.just(Lane.SAFETY), st.just(0)),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_the_store_behaves_as_plain_lists_would(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, Lane, int]]
) -> None:
    asyncio.run(compare_with_lists(tmp_path_factory.mktemp("model") / "edge.db", steps))


async def compare_with_lists(path: Path, steps: list[tuple[str, Lane, int]]) -> None:
    everything: dict[Lane, list[Record]] = {lane: [] for lane in Lane}
    acked = dict.fromkeys(Lane, 0)
    store = await Store.open(path, "gw-1", window_s=0)
    clock = 0
    for step, lane, number in steps:
        if step == "append":
            records = [
                alarm(clock + i) if (clock + i) % 3 == 0 else reading(clock + i, f"{i}.50") for i in range(number)
            ]
            clock += number
            everything[lane] += records
            assert await store.append(lane, records) == len(everything[lane])
        elif step == "ack" and number > len(everything[lane]):
            with pytest.raises(StoreError):
                await store.ack(lane, number)
        elif step == "ack":
            await store.ack(lane, number)
            acked[lane] = max(acked[lane], number)
        elif step == "peek":
            first = max(acked[lane], number) + 1
            expected = tuple(everything[lane][first - 1 : first + 99])
            got = await store.peek(lane, number, 100)
            assert got.records == expected
            assert not expected or got.first_seq == first
        else:
            await store.close()
            store = await Store.open(path, "gw-1", window_s=0)
        for each, state in store.lanes().items():
            pending = everything[each][acked[each] :]
            oldest = None if not pending else pending[0].at if isinstance(pending[0], Event) else pending[0].taken_at
            assert state == LaneState(len(everything[each]) + 1, acked[each], len(pending), oldest)
    await store.close()

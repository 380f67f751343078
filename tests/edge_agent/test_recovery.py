"""A gateway starts by itself whatever has befallen its store, tells no wrong record and hides no loss."""

import shutil
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from edge_agent.epochs import Leg
from edge_agent.incident import read_incidents
from edge_agent.store import Store, StoreDamaged, peek_records
from protocols.sync import Event, Lane, Reading, Record, Series
from scripts.chaos.damage import damage

POWER = Series("em-1", "powerTotal", "W")


def readings(first: int, count: int) -> list[Record]:
    return [Reading(POWER, at, Decimal(at) / 4) for at in range(first, first + count)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder / "edge.db"


async def waiting(store: Store, leg: Leg, lane: Lane) -> dict[int, Record]:
    """Give what a leg has to send of a lane."""
    state = leg.lanes(store.lanes())[lane]
    return {
        seq: record
        for seq, record in (await store.peek(lane, state.acked_seq, 100_000)).numbered()
        if seq < state.next_seq
    }


async def tombstones(store: Store) -> list[dict[str, object]]:
    found = await store.peek(Lane.CONTROL, 0, 1000)
    return [record.body for record in found.records if isinstance(record, Event) and record.kind == "tombstone"]


def poke(path: Path, what: bytes, other: bytes) -> None:
    content = path.read_bytes()
    assert content.count(what) == 1
    path.write_bytes(content.replace(what, other))


@pytest.mark.parametrize("seeds", [range(start, start + 20) for start in (0, 20, 40)], ids=str)
def test_a_store_damaged_anywhere_opens_and_tells_only_the_truth(seeds: range) -> None:
    for seed in seeds:
        assert (broken := damage(seed).broken) is None, f"scripts/chaos/damage --seed {seed}: {broken}"


async def test_a_value_changed_on_the_disk_is_not_sent_but_told_as_lost(path: Path) -> None:
    async with await Store.open(path, "gw-1") as store:
        epoch = store.epoch
        await store.append(
            Lane.BILLING, [*readings(1, 300), Event("x", "y", 7, {"text": "seven apples"}), *readings(2, 9)]
        )
    poke(path, b"seven apples", b"seven apfles")
    async with await Store.open(path, "gw-1") as store:
        with pytest.raises(StoreDamaged, match="record 301 of the billing lane is not what was stored"):
            await store.peek(Lane.BILLING, 0, 1000)
        assert store.damaged.is_set(), "the gateway begins again"
    async with await Store.open(path, "gw-1") as store:
        leg = store.leg()
        assert (leg.is_past, leg.epoch) == (True, epoch), "what was pending goes first, under its own epoch"
        found = await waiting(store, leg, Lane.BILLING)
        assert sorted(found) == [*range(1, 301), *range(302, 311)], "and under its own numbers"
        assert await tombstones(store) == [
            {"lane": 2, "from_seq": 301, "to_seq": 301, "reason": "damaged store", "lost": 1, "epoch": f"{epoch:016x}"}
        ]
        assert [state.pending for state in leg.lanes(store.lanes()).values()] == [0, 0, 309, 0], (
            "what is lost waits no more"
        )
    (incident,) = read_incidents(path)
    (kept,) = path.parent.glob("edge.db.damaged-*")
    assert incident.sentence == (
        f"the store was damaged: 309 records were saved, 1 are lost; the damaged file is kept as {kept.name}. "
        "Check the disk (smartctl -a, dmesg), and delete that file when it is no longer wanted."
    )
    assert b"seven apfles" in kept.read_bytes()


async def test_the_new_epoch_begins_when_the_old_one_is_drained(path: Path) -> None:
    async with await Store.open(path, "gw-1") as store:
        await store.append(Lane.TELEMETRY, readings(1, 10))
        await store.ack(Lane.TELEMETRY, 4, "ab" * 32)
    path.with_name("edge.db.unsound").write_text("as the service notes it")
    async with await Store.open(path, "gw-1") as store:
        old = store.leg()
        await store.append(Lane.SAFETY, [Event("alarm", "device:1", 1, {})])
        assert await store.append(Lane.TELEMETRY, readings(50, 2)) == 12
        assert sorted(await waiting(store, old, Lane.TELEMETRY)) == [5, 6, 7, 8, 9, 10]
        assert old.lanes(store.lanes())[Lane.SAFETY].pending == 0, "not even an alarm: the centre would fence the rest"
        assert old.first_seq(Lane.TELEMETRY, 4) == 5
        await store.ack(Lane.TELEMETRY, 10)
        new = store.leg()
        assert (new.is_past, new.epoch == store.epoch, old.epoch == store.epoch) == (False, True, False)
        assert sorted(await waiting(store, new, Lane.TELEMETRY)) == [11, 12]
        assert new.first_seq(Lane.TELEMETRY, 10) == 1, "the first batch of an epoch covers what came before it"
        assert new.first_seq(Lane.TELEMETRY, 11) == 12
        assert not await tombstones(store), "nothing was lost"


async def test_a_log_that_was_cut_is_noticed_though_the_store_is_whole(path: Path) -> None:
    store = await Store.open(path, "gw-1")
    await store.append(Lane.BILLING, readings(1, 5))
    log = path.with_name("edge.db-wal")
    size = log.stat().st_size
    await store.append(Lane.BILLING, readings(6, 5))
    kept = {name: path.with_name(name).read_bytes() for name in ("edge.db", "edge.db-wal", "edge.db.marks")}
    await store.close()
    for name, content in kept.items():  # as kill -9 leaves it
        path.with_name(name).write_bytes(content)
    log.write_bytes(kept["edge.db-wal"][:size])
    async with await Store.open(path, "gw-1") as store:
        assert sorted(await waiting(store, store.leg(), Lane.BILLING)) == [1, 2, 3, 4, 5]
        assert [(stone["from_seq"], stone["to_seq"]) for stone in await tombstones(store)] == [(6, 10)]


async def test_an_older_file_that_is_put_back_gives_no_number_twice(path: Path) -> None:
    async with await Store.open(path, "gw-1") as store:
        epoch = store.epoch
        await store.append(Lane.BILLING, readings(1, 5))
    backup = path.read_bytes()
    async with await Store.open(path, "gw-1") as store:
        await store.append(Lane.BILLING, readings(6, 5))
    path.write_bytes(backup)
    async with await Store.open(path, "gw-1") as store:
        assert (store.leg().epoch, store.epoch == epoch) == (epoch, False)
        assert sorted(await waiting(store, store.leg(), Lane.BILLING)) == [1, 2, 3, 4, 5]
        assert [(stone["from_seq"], stone["lost"]) for stone in await tombstones(store)] == [(6, 5)]


@pytest.mark.parametrize("how", ["copied to another place", "put back whole"])
async def test_a_copy_of_the_folder_begins_a_new_epoch(path: Path, how: str) -> None:
    async with await Store.open(path, "gw-1") as store:
        epoch = store.epoch
        await store.append(Lane.BILLING, readings(1, 5), {("em-1", "p"): "what the guard knows"})
    copy = path.parent.with_name("copy")
    shutil.copytree(path.parent, copy)
    if how == "put back whole":
        shutil.rmtree(path.parent)
        shutil.copytree(copy, path.parent)
        copy = path.parent
    async with await Store.open(copy / "edge.db", "gw-1") as store:
        leg = store.leg()
        assert (leg.epoch, leg.is_past, store.epoch == epoch) == (epoch, True, False)
        assert sorted(await waiting(store, leg, Lane.BILLING)) == [1, 2, 3, 4, 5]
        assert await store.notes() == {("em-1", "p"): "what the guard knows"}
        assert [incident.kind for incident in await store.incidents()] == ["copied"]
        second = store.epoch
    async with await Store.open(copy / "edge.db", "gw-1") as store:
        assert store.epoch == second, "it is told once"


async def test_a_folder_that_is_renamed_and_a_restart_are_no_copy(path: Path) -> None:
    async with await Store.open(path, "gw-1") as store:
        epoch = store.epoch
    moved = path.parent.rename(path.parent.with_name("elsewhere"))
    async with await Store.open(moved / "edge.db", "gw-1") as store:
        assert (store.epoch, store.leg().is_past, await store.incidents()) == (epoch, False, [])


async def test_a_salvage_that_is_cut_short_is_done_again_or_finished(path: Path) -> None:
    async with await Store.open(path, "gw-1") as store:
        epoch = store.epoch
        await store.append(Lane.BILLING, readings(1, 5))
    path.with_name("edge.db.salvage").write_bytes(b"half of one")
    path.with_name("edge.db.unsound").write_text("damaged")
    async with await Store.open(path, "gw-1") as store:
        assert store.leg().epoch == epoch
    # The power went between the moves: the fresh store is ready, and of the damaged one only the log is moved.
    (kept,) = path.parent.glob("edge.db.damaged-*")
    path.rename(path.with_name(kept.name.replace("damaged", "salvaged")))
    kept.rename(path)
    kept.with_name(kept.name + "-wal").write_bytes(b"its log")
    async with await Store.open(path, "gw-1") as store:
        assert store.leg().epoch == epoch
        assert sorted(await waiting(store, store.leg(), Lane.BILLING)) == [1, 2, 3, 4, 5]
    assert kept.exists()
    assert len(peek_records(path, Lane.BILLING, 10)) == 5


async def test_a_store_damaged_twice_sends_its_epochs_in_their_order(path: Path) -> None:
    epochs: list[int] = []
    for turn in range(3):
        async with await Store.open(path, "gw-1") as store:
            epochs.append(store.epoch)
            await store.append(Lane.BILLING, readings(10 * turn, 2))
        path.with_name("edge.db.unsound").write_text("damaged")
    sent: list[tuple[int, int]] = []
    async with await Store.open(path, "gw-1") as store:
        while (leg := store.leg()).is_past:
            found = await waiting(store, leg, Lane.BILLING)
            sent += [(leg.epoch, record.taken_at) for record in found.values() if isinstance(record, Reading)]
            await store.ack(Lane.BILLING, leg.lanes(store.lanes())[Lane.BILLING].next_seq - 1)
    assert sent == [(epoch, at) for turn, epoch in enumerate(epochs) for at in (10 * turn, 10 * turn + 1)]


async def test_a_series_whose_name_is_lost_leaves_its_readings_out_and_its_number_unused(path: Path) -> None:
    async with await Store.open(path, "gw-1") as store:
        water = Series("wm-1", "volumeTotal", "m3")
        await store.append(Lane.BILLING, [Reading(water, 1, Decimal(1)), *readings(2, 3)])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE series SET device = 'wm-2' WHERE device = 'wm-1'")
        connection.commit()
    async with await Store.open(path, "gw-1") as store:
        assert sorted(await waiting(store, store.leg(), Lane.BILLING)) == [2, 3, 4]
        await store.append(Lane.BILLING, [Reading(water, 9, Decimal(1))])
        assert sorted(store.numbers().values()) == [1, 2, 3], "numbers stay without a gap"
        assert store.numbers()[water] == 3

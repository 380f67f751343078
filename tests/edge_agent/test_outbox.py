"""What a damaged, restored or copied store sends reaches the centre once, whatever the centre has already."""

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from edge_agent.answer import Heard
from edge_agent.outbox import Outbox
from edge_agent.store import Store
from edge_agent.sync import Policy, SendBatch, SendLive, SendStatus, Uplink
from protocols.sync import Event, Lane, Reading, Record, Series, batch_digest, encode_batch
from tests.edge_agent.log_centre import KEY, LogCentre

POWER = Series("em-1", "powerTotal", "W")


def readings(*instants: int) -> list[Record]:
    return [Reading(POWER, at, Decimal(at) / 4) for at in instants]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "edge.db"


async def drain(store: Store, centre: LogCentre, *, batches: int = 1000, limit: int = 4) -> None:
    """Send as the uplink does until nothing is left, or so many batches."""
    core, outbox = Uplink(Policy(limit=limit, pace_s=0)), Outbox(store)
    now = 0.0
    for _ in range(200):
        if not batches:
            return
        for lane, seq, chain in core.unsettled(store.lanes()):
            await store.ack(lane, seq, chain)
        now += 0.3
        match core.next(outbox.lanes(), now):
            case SendStatus():
                core.status_answered(Heard(1), now)
            case SendLive():
                core.live_answered(Heard(1), now)
            case SendBatch(lane, after, most, prev, names):
                batches -= 1
                batch = await outbox.batch(lane, after, most, prev)
                if batch is None:
                    core.nothing_there(lane, outbox.lanes()[lane])
                    continue
                body = encode_batch(batch, KEY.sign, outbox.dictionary(names))
                state = outbox.lanes()[lane]
                answer = await outbox.heard(batch, centre.answer(body), 1)
                core.batch_answered(batch.first_seq, batch.last_seq, lane, state, answer, now, batch_digest(body))


def instants(centre: LogCentre, lane: Lane = Lane.BILLING) -> list[int]:
    return [record.taken_at for record in centre.records(lane) if isinstance(record, Reading)]


def tombstones(centre: LogCentre) -> list[tuple[object, object]]:
    found = [record.body for record in centre.records(Lane.CONTROL) if isinstance(record, Event)]
    return [(body["from_seq"], body["to_seq"]) for body in found]


async def test_what_the_centre_had_already_is_not_counted_twice_after_a_salvage(path: Path) -> None:
    centre = LogCentre()
    async with await Store.open(path, "gw-1") as store:
        await store.append(Lane.BILLING, readings(*range(1, 11)))
        await drain(store, centre, batches=2)  # the second one's Ack is never stored
        assert (store.lanes()[Lane.BILLING].acked_seq, instants(centre)) == (4, [1, 2, 3, 4, 5, 6, 7, 8])
    path.with_name("edge.db.unsound").write_text("damaged")
    async with await Store.open(path, "gw-1") as store:
        await store.append(Lane.BILLING, readings(20, 21))
        await store.append(Lane.SAFETY, [Event("alarm", "x", 1, {})])
        await drain(store, centre)
        assert all(state.pending == 0 for state in store.lanes().values())
    assert instants(centre) == [*range(1, 11), 20, 21]
    assert len(centre.epochs) == 2


async def test_a_restored_folder_doubles_nothing_and_the_box_it_was_taken_from_is_fenced(path: Path) -> None:
    centre = LogCentre()
    async with await Store.open(path, "gw-1") as store:
        await store.append(Lane.BILLING, readings(1, 2, 3, 4, 5))
        copy = path.parent.with_name("copy")
        shutil.copytree(path.parent, copy)
        await store.append(Lane.BILLING, readings(6, 7, 8))
        await drain(store, centre)
        async with await Store.open(copy / "edge.db", "gw-1") as restored:
            await restored.append(Lane.BILLING, readings(30, 31))
            await drain(restored, centre)
        await store.append(Lane.BILLING, readings(40))
        await drain(store, centre)
    assert instants(centre) == [1, 2, 3, 4, 5, 6, 7, 8, 30, 31]


async def test_what_the_centre_takes_no_more_is_told_and_kept(path: Path) -> None:
    centre = LogCentre()
    async with await Store.open(path, "gw-1") as store:
        await store.append(Lane.BILLING, readings(1, 2))
        await drain(store, centre)
        await store.append(Lane.BILLING, readings(3, 4, 5))
        copy = path.parent.with_name("copy")
        shutil.copytree(path.parent, copy)
        centre.epochs.append(7)  # a newer store of this gateway has spoken
    async with await Store.open(copy / "edge.db", "gw-1") as store:
        await store.append(Lane.BILLING, readings(6))
        await drain(store, centre)
        assert store.lanes()[Lane.BILLING].pending == 0
    assert instants(centre) == [1, 2, 6]
    assert tombstones(centre) == [(3, 5)]
    assert len(list(copy.glob("edge.db.refused-*"))) == 1


async def test_a_centre_that_lost_its_end_takes_what_an_old_epoch_still_has(path: Path) -> None:
    centre = LogCentre()
    async with await Store.open(path, "gw-1") as store:
        await store.append(Lane.BILLING, readings(*range(1, 9)))
        await drain(store, centre)
        await store.append(Lane.BILLING, readings(9, 10))
    centre.put_back(store.epoch, Lane.BILLING, 4)
    path.with_name("edge.db.unsound").write_text("damaged")
    async with await Store.open(path, "gw-1") as store:
        await store.append(Lane.BILLING, readings(20))
        await drain(store, centre)
    assert instants(centre) == [1, 2, 3, 4, 9, 10, 20]

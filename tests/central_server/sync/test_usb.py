"""From a gateway without a network to the centre by hand: once, proved, and the network goes on from there."""

import sqlite3
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from central_server.devices.service import revoke
from central_server.errors import BadRequest
from central_server.schema import batch, lane_mark
from central_server.sync.proof import prove
from central_server.sync.service import authenticate, take_batch, with_sign_key
from central_server.sync.usb import import_file
from edge_agent.export import waiting_batches
from edge_agent.identity import Signer, load_signer
from edge_agent.store import Store
from protocols.export import write_export
from protocols.quantity import Quality
from protocols.sync import Lane, Reading, Series
from tests.central_server.lake import Lake

ENERGY = Series("em-1", "energyImportTotal", "kWh")


async def store_with(path: Path, count: int) -> None:
    async with await Store.open(path / "edge.db", "gw-1", window_s=0) as store:
        await store.append(Lane.BILLING, [Reading(ENERGY, n, Decimal(n), Quality.GOOD) for n in range(count)])
        await store.append(Lane.TELEMETRY, [Reading(ENERGY, 0, Decimal(1), Quality.GOOD)])


def exported(path: Path, signer: Signer, lanes: Sequence[Lane] = tuple(Lane)) -> Path:
    file = path / "gw-1.ghx"
    file.write_bytes(b"".join(write_export(waiting_batches(path / "edge.db", lanes, signer))))
    return file


async def known(lake: Lake, signer: Signer) -> None:
    await with_sign_key(lake.db, await authenticate(lake.db, f"Gateway gw-1:{lake.secret}"), signer.public)


async def test_a_file_brings_everything_once_and_the_chain_holds(lake: Lake, tmp_path: Path) -> None:
    await store_with(tmp_path, 12_000)
    signer = load_signer(tmp_path)
    await known(lake, signer)
    file = exported(tmp_path, signer)
    first, again = await import_file(lake.db, file), await import_file(lake.db, file)
    assert (first.batches, first.new, first.records, first.refused) == (4, 4, 12_001, [])
    assert (again.batches, again.new, again.refused) == (4, 0, [])
    proof = await prove(lake.db)
    assert (proof.batches, proof.records, proof.signed, proof.faults) == (4, 12_001, 4, [])


async def test_a_stranger_a_revoked_gateway_and_a_changed_file_bring_nothing(lake: Lake, tmp_path: Path) -> None:
    await store_with(tmp_path, 3)
    signer = load_signer(tmp_path)
    file = exported(tmp_path, signer)
    assert "its key is not known" in (await import_file(lake.db, file)).refused[0]
    await known(lake, load_signer(tmp_path / "other"))
    assert "not signed with the key" in (await import_file(lake.db, file)).refused[0]
    await revoke(lake.db, "gw-1")
    assert "not let in" in (await import_file(lake.db, file)).refused[0]
    assert await lake.rows("batch") == []
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(BadRequest, match="the file ends early"):
        await import_file(lake.db, file)
    with pytest.raises(BadRequest, match="cannot be read"):
        await import_file(lake.db, tmp_path / "none")


async def test_a_log_that_somebody_has_touched_is_found_out(lake: Lake, tmp_path: Path) -> None:
    await store_with(tmp_path, 12_000)
    signer = load_signer(tmp_path)
    await known(lake, signer)
    bodies = list(waiting_batches(tmp_path / "edge.db", [Lane.BILLING], signer))
    gateway = await authenticate(lake.db, f"Gateway gw-1:{lake.secret}")
    for body in bodies:
        await take_batch(lake.db, gateway, body)
    second = (await lake.rows("batch"))[1]
    async with lake.db.write() as connection:
        await connection.execute(delete(batch).where(batch.c.id == second.id))
    assert any("5001 to 10000 of the billing lane are not here" in fault for fault in (await prove(lake.db)).faults)
    async with lake.db.write() as connection:
        await connection.execute(update(batch).where(batch.c.first_seq == 10_001).values(body=bodies[1]))
    faults = (await prove(lake.db)).faults
    assert any("its row says something else than its bytes" in fault for fault in faults)


async def test_a_batch_put_between_names_nobody_and_shows(lake: Lake, tmp_path: Path) -> None:
    await store_with(tmp_path, 6_000)
    signer = load_signer(tmp_path)
    await known(lake, signer)
    gateway = await authenticate(lake.db, f"Gateway gw-1:{lake.secret}")
    bodies = list(waiting_batches(tmp_path / "edge.db", [Lane.BILLING], signer))
    await take_batch(lake.db, gateway, bodies[0])
    async with lake.db.write() as connection:
        await connection.execute(delete(batch))
        await connection.execute(delete(lane_mark))
    with sqlite3.connect(tmp_path / "edge.db") as edge:  # another history under the same numbers
        edge.execute("UPDATE record SET at = at + 1, seal = NULL WHERE seq <= 5000")
    edge.close()
    other = list(waiting_batches(tmp_path / "edge.db", [Lane.BILLING], signer))
    await take_batch(lake.db, gateway, other[0])
    await take_batch(lake.db, gateway, bodies[1])
    assert (await prove(lake.db)).faults == ["batch 2 of gw-1: it names another batch as the one before it"]

"""The same centre on a real PostgreSQL: each record once, sums to the fen, and a server that goes away and comes back."""

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.app import build_app
from central_server.db import Database, sum_of
from central_server.errors import Conflict
from central_server.live import Hub
from central_server.schema import gateway
from central_server.sync.proof import prove
from central_server.sync.service import Taken, authenticate, take_batch
from central_server.sync.store import GatewayRow
from central_server.sync.views import EXPANDER
from central_server.telemetry.expansion import Expander
from protocols.sync import Lane
from tests.central_server.lake import Lake, batch_of, energies, opened_lake, serving, status_of

_PLACES = ":".join([os.environ.get("PATH", ""), *map(str, Path("/usr/lib/postgresql").glob("*/bin"))])
if shutil.which("initdb", path=_PLACES) is None:
    pytest.skip("PostgreSQL is not installed: its tests are left out", allow_module_level=True)


class Server:
    """A PostgreSQL of its own, on loopback; it refuses to run as root, and then runs as whom it was installed for."""

    def __init__(self, folder: Path) -> None:
        self._data, self._log = folder / "data", folder / "log"
        self._user = None
        if os.geteuid() == 0:
            known = {each.pw_name for each in pwd.getpwall()}
            self._user = "postgres" if "postgres" in known else "nobody"
            shutil.chown(folder, self._user)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._run("initdb", "--auth=trust", "--username=me", "--no-sync", "--encoding=UTF8", "--locale=C")
        self.start()

    def _run(self, name: str, *words: str) -> None:
        program = shutil.which(name, path=_PLACES)
        assert program is not None
        command = [program, "-D", str(self._data), *words]
        subprocess.run(command, check=True, user=self._user, cwd="/", capture_output=True, timeout=60)

    def start(self) -> None:
        options = f"-p {self._port} -k {self._data} -c listen_addresses=127.0.0.1 -c max_connections=60"
        self._run("pg_ctl", "-l", str(self._log), "-o", options, "-w", "start")

    def stop(self) -> None:
        """End it as a crash would, in the middle of whatever is under way."""
        self._run("pg_ctl", "-m", "immediate", "-w", "stop")

    def url(self, database: str) -> str:
        return f"postgresql://me@127.0.0.1:{self._port}/{database}"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="gatehouse-") as name:
        made = Server(Path(name))
        yield made
        made.stop()


@pytest.fixture
async def postgres_lake(server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Lake]:
    name = f"lake_{abs(hash(request.node.name)) % 10**9}"
    desk = Database(server.url("postgres"))
    async with desk.engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).exec_driver_sql(
            f"CREATE DATABASE {name}"
        )
    await desk.close()
    async with opened_lake(tmp_path, server.url(name)) as lake:
        yield lake


async def persistent(lake: Lake, row: GatewayRow, body: bytes) -> Taken:
    """Deliver as a gateway does: of two at once one is told to go on from where the lane stands, and comes again."""
    while True:
        try:
            return await take_batch(lake.db, row, body)
        except Conflict as error:
            if error.key != "sync_gap":
                raise


async def test_gateways_that_deliver_at_once_and_twice_are_counted_once(postgres_lake: Lake) -> None:
    lake = postgres_lake
    names = [f"gw-{number}" for number in range(1, 5)]
    rows = [await authenticate(lake.db, f"Gateway {name}:{await lake.invite(name)}") for name in names]

    async def deliver(place: int) -> None:
        for first in (1, 11, 21):
            body = batch_of(energies(first, 10), first, edge_id=names[place])
            taken = await asyncio.gather(*(persistent(lake, rows[place], body) for _ in range(4)))
            assert {each.acked for each in taken} == {first + 9}
            assert sum(each.batch_id is not None for each in taken) == 1

    await asyncio.gather(*map(deliver, range(4)))
    expander = Expander(lake.db, Hub())
    while await expander.expand_next():
        pass
    assert len(await lake.rows("batch")) == 12
    assert len(await lake.rows("reading")) == 120
    proof = await prove(lake.db)
    assert (proof.faults, proof.records) == ([], 120)
    assert len(await lake.rows("latest")) == 4


async def test_a_sum_is_a_whole_number_as_on_sqlite(postgres_lake: Lake, tmp_path: Path) -> None:
    async def sums(connection: AsyncConnection, most: int) -> object:
        return await connection.scalar(select(sum_of(gateway.c.id)).where(gateway.c.id <= most))

    async with opened_lake(tmp_path) as plain:
        for lake in (postgres_lake, plain):
            await lake.invite("gw-2")
            found = [await lake.db.look(partial(sums, most=most)) for most in (0, 2)]
            assert [(each, type(each)) for each in found] == [(0, int), (3, int)]


async def test_while_the_server_is_away_callers_are_told_to_come_again_and_nothing_is_lost(
    server: Server, postgres_lake: Lake
) -> None:
    lake = postgres_lake
    app = build_app(lake.config, lake.db)
    async with serving(app, lake.secret) as caller:
        assert (await caller.send(batch_of(energies(1, 5)))).status == 200
        assert (await caller.report(status_of())).status == 200
        await asyncio.to_thread(server.stop)
        try:
            for answer in (await caller.send(batch_of(energies(6, 5), 6)), await caller.report(status_of())):
                assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
                assert "internal" not in await answer.text()
        finally:
            await asyncio.to_thread(server.start)
        answer = await caller.send(batch_of(energies(6, 5), 6))
        assert (answer.status, (await answer.json())["acked"]) == (200, 10)
        app[EXPANDER].wake()
        async with asyncio.timeout(20):
            while len(await lake.rows("reading")) < 10:
                await asyncio.sleep(0.05)
    assert [row.error for row in await lake.rows("batch")] == [None, None], (
        "a server that was away is no fault of theirs"
    )
    assert [row.lane for row in await lake.rows("lane_mark")] == [int(Lane.BILLING)]

"""The SQL of the gateways' door where two writers can meet, as they do on a database with more than one."""

import pytest

from central_server.sync.service import authenticate
from central_server.sync.store import move_mark
from protocols.sync import batch_header
from tests.central_server.lake import Lake, batch_of, energies


async def test_a_mark_that_has_moved_meanwhile_is_not_written_over(lake: Lake) -> None:
    gateway = await authenticate(lake.db, f"Gateway gw-1:{lake.secret}")
    first, late, next_one = (batch_header(batch_of(energies(*numbers))) for numbers in ((1, 9), (1, 5), (1, 12)))
    async with lake.db.write() as connection:
        assert await move_mark(connection, gateway.id, first, None)
        assert not await move_mark(connection, gateway.id, late, 3), "another delivery was quicker"
        assert await move_mark(connection, gateway.id, next_one, 9)
    assert [row.high_seq for row in await lake.rows("lane_mark")] == [12]


@pytest.mark.parametrize("before", [0, 8, 10])
async def test_a_mark_is_moved_only_from_where_it_stands(lake: Lake, before: int) -> None:
    gateway = await authenticate(lake.db, f"Gateway gw-1:{lake.secret}")
    async with lake.db.write() as connection:
        await move_mark(connection, gateway.id, batch_header(batch_of(energies(1, 9))), None)
        assert not await move_mark(connection, gateway.id, batch_header(batch_of(energies(1, 20))), before)

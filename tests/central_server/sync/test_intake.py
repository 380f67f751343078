"""What is decided of the names that a batch brings, and that a gateway hears of it."""

from decimal import Decimal

import pytest

from central_server.errors import Conflict
from central_server.sync.intake import Learnt, Renamed, Unnamed, learn
from central_server.sync.service import authenticate, take_batch
from protocols.sync import Batch, Dictionary, Header, Lane, Reading, Series, batch_header, encode_batch
from tests.central_server.lake import Lake

A, B, C = (Series("em-1", point, "kWh") for point in ("energyImportTotal", "energyExportTotal", "energyT1"))


def body(first: int, series: tuple[Series, ...], known: int) -> bytes:
    records = tuple(Reading(each, 1_767_225_600_000, Decimal(first)) for each in series)
    dictionary = Dictionary({each: number for number, each in enumerate(series, 1)}, known)
    return encode_batch(Batch("gw-1", 2**63, Lane.BILLING, first, records), None, dictionary)


def header(series: tuple[Series, ...], known: int) -> Header:
    return batch_header(body(1, series, known))


def test_names_are_learnt_once_and_a_number_keeps_its_series() -> None:
    assert learn(header((A, B), 0), 0, ()) == Learnt(0, (A, B))
    assert learn(header((A, B, C), 0), 2, (A, B)) == Learnt(2, (C,)), "told again, and one more"
    assert learn(header((A, B, C), 2), 1, ()) == Unnamed(1), "the second is not known here"
    assert learn(header((A, C), 0), 2, (A, B)) == Renamed()


async def test_a_number_that_comes_to_mean_another_series_is_another_boxs(lake: Lake) -> None:
    gateway = await authenticate(lake.db, f"Gateway gw-1:{lake.secret}")
    await take_batch(lake.db, gateway, body(1, (A, B), 0))
    with pytest.raises(Conflict) as caught:
        await take_batch(lake.db, gateway, body(3, (A, C), 0))
    assert caught.value.key == "sync_fork"
    assert len(await lake.rows("batch")) == 1, "nothing of it is taken"

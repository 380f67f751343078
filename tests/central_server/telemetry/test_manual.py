"""What a person reads from a meter's face is a reading like any other, and a bill can say who told."""

from decimal import Decimal

from central_server.billing.reading_store import last_good
from central_server.telemetry import manual
from central_server.telemetry.manual import Meter
from protocols.sync import decode_batch
from tests.central_server.lake import NOVEMBER, Lake

HOUR = 3_600_000


async def note(lake: Lake, meter: Meter, value: str, at: int) -> int:
    async with lake.db.write() as connection:
        series_id = await manual.series_of(connection, 1, meter, at)
        assert series_id is not None
        await manual.note_reading(connection, 1, meter, series_id, Decimal(value), at, at + HOUR)
    return series_id


async def test_a_bill_finds_what_a_person_read_and_who_told(lake: Lake) -> None:
    series_id = await note(lake, Meter("gw-1", "w-101", "volumeTotal", "m3"), "12.50", NOVEMBER)
    async with lake.db.read() as connection:
        read = await last_good(connection, series_id, 0, NOVEMBER + HOUR)
    assert read is not None
    assert (read.at, read.value) == (NOVEMBER, Decimal("12.50"))
    assert read.batch is not None
    assert read.batch.gateway == "manual-1"
    (device,) = await lake.rows("device")
    assert (device.code, device.gateway_id) == ("w-101", 1)


async def test_what_people_read_stands_in_the_log_in_its_order(lake: Lake) -> None:
    meter = Meter("manual-1", "w-102", "volumeTotal", "m3")
    for number, value in enumerate(("1", "2.5", "3")):
        await note(lake, meter, value, NOVEMBER + number * HOUR)
    batches = await lake.rows("batch")
    assert [batch.first_seq for batch in batches] == [1, 2, 3]
    assert [decode_batch(batch.body).records[0].value for batch in batches] == [Decimal(1), Decimal("2.5"), Decimal(3)]
    (latest,) = await lake.rows("latest")
    assert (latest.mantissa, latest.taken_at) == (3, NOVEMBER + 2 * HOUR)


async def test_the_values_on_both_sides_of_an_instant_are_known(lake: Lake) -> None:
    meter = Meter("gw-1", "w-101", "volumeTotal", "m3")
    series_id = await note(lake, meter, "10", NOVEMBER)
    await note(lake, meter, "20", NOVEMBER + 2 * HOUR)
    async with lake.db.read() as connection:
        found = await manual.neighbours(connection, series_id, NOVEMBER + HOUR)
        assert (found.before, found.after) == (Decimal(10), Decimal(20))
        found = await manual.neighbours(connection, series_id, NOVEMBER - 1)
        assert (found.before, found.after) == (None, Decimal(10))


async def test_no_box_can_be_the_gateway_of_what_people_read(lake: Lake) -> None:
    await note(lake, Meter("manual-1", "w-102", "volumeTotal", "m3"), "1", NOVEMBER)
    rows = {row.edge_id: row for row in await lake.rows("gateway")}
    assert rows["manual-1"].revoked_at is not None
    assert rows["manual-1"].secret_hash == ""

"""Poison in the log, at the centre: whatever a gateway signs, what comes behind it counts, and nothing vanishes unseen."""

import asyncio
import hashlib
from decimal import Decimal
from typing import Any, TypeAlias

from protocols.quantity import Quality
from protocols.sync import Event, Lane, Reading, Series, batch_header
from tests.central_server.quarantine.test_views import settled
from tests.central_server.sync.test_views import readings

Centre: TypeAlias = Any  # the fixtures' classes, in conftest
Gateway: TypeAlias = Any
_POWER = Series("em-1", "powerTotal", "W")
_FAR = 2**53


def resealed(body: bytes, columns: bytes) -> bytes:
    """Put other columns behind a batch's header, under a digest that fits."""
    header = int.from_bytes(body[100:104], "little")
    rest = body[100 : 104 + header] + columns
    return body[:4] + hashlib.sha256(rest).digest() + body[36:100] + rest


def poisons(gateway: Gateway, first: int) -> list[bytes]:
    """Give batches of one or two numbers each, none of which is what it should be."""
    plain = gateway.batch(Lane.BILLING, first, *readings(1, 1))
    half = plain[104 + int.from_bytes(plain[100:104], "little") :]
    odd = [
        Reading(Series("x" * 200, "p" * 200, "u" * 200), 5, Decimal(1)),
        Reading(_POWER, _FAR, Decimal(1)),
        Reading(_POWER, -_FAR, Decimal(1)),
        Reading(_POWER, 5, None, Quality.INVALID, b"NaN"),
        Reading(_POWER, 6, Decimal(2**61)),
        Event("k" * 200, "s" * 200, _FAR, {"a": None}),
        Event("alarm", "\0\ud7ff", 1, {"state": 5, "priority": "x"}),
        Event("tombstone", "lane:what", 1, {"lane": "x", "from_seq": -1}),
        Event("door", "x", 1, {"decision": {"card": []}}),
        Event("command", "x", 1, {"id": 7}),
    ]
    bodies = [resealed(plain, columns) for columns in (b"", b"rubbish", half[: len(half) // 2], half[:-1] + b"\0")]
    bodies += [gateway.batch(Lane.BILLING, first, record) for record in odd]
    return bodies


async def test_poison_blocks_nothing_and_is_seen(centre: Centre, gateway: Gateway) -> None:
    count = len(poisons(gateway, 1))
    for number in range(count):
        body = poisons(gateway, 1 + 2 * number)[number]
        assert batch_header(body).first_seq == 1 + 2 * number
        assert (await gateway.deliver(body)).json["acked"] == 1 + 2 * number, "what is signed is kept, whatever it is"
        good = gateway.batch(Lane.BILLING, 2 + 2 * number, Reading(_POWER, 1000 + number, Decimal(number)))
        assert (await gateway.deliver(good)).status == 200
    await settled(centre)
    async with asyncio.timeout(5):
        batches = await centre.rows("batch")
    aside = {row.batch_id for row in await centre.rows("quarantine")}
    failed = {row.id for row in batches if row.error}
    assert failed <= aside
    assert {1, 3, 5, 7} <= aside, "what cannot be unpacked is set aside"
    assert {(row.batch_id, row.seq, row.reason) for row in await centre.rows("quarantine") if row.seq} >= {
        (9, 9, "name-too-long"),
        (11, 11, "absurd-time"),
        (13, 13, "absurd-time"),
    }
    assert all(row.packed_at for row in batches if row.id % 2 == 0), "every good batch counts"

"""What somebody who means harm sends up as a batch, whichever way it travels; and a look at all that a centre holds."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from central_server import schema
from central_server.db import Database
from protocols.sync import MAX_BATCH_BYTES, Batch, Lane, Reading, Series, batch_header, encode_batch
from tests.central_server.lake import NOVEMBER

Sign = Callable[[bytes], bytes]
STRANGER = Ed25519PrivateKey.from_private_bytes(b"s" * 32).sign
OLD, NEW = 7, 8  # the stores that gw-1 has had
COLUMNS = zstandard.ZstdCompressor().compress(b"\0" * 32)
HEADER = {"edge": "gw-1", "epoch": NEW, "lane": 2, "first": 4, "last": 4, "count": 1, "prev": ""}
# Where a refusal may be told; everything else has to stay as it is.
TOLD = frozenset({"audit", "alarm"})


class Hostile(NamedTuple):
    """One message; ``key`` is the refusal's, None where it is acknowledged again and not counted."""

    name: str
    body: bytes
    status: int
    key: str | None


@dataclass(frozen=True)
class Honest:
    """What gw-1 and gw-2 have signed; gw-1's ``batches`` are at the centre before anything hostile comes."""

    one: Sign
    two: Sign

    def batch(self, first: int, count: int, epoch: int = NEW, edge_id: str = "gw-1", base: int = 0) -> bytes:
        sign = self.one if edge_id == "gw-1" else self.two
        return encode_batch(Batch(edge_id, epoch, Lane.BILLING, first, readings(first + base, count)), sign)

    @property
    def batches(self) -> list[bytes]:
        return [self.batch(1, 3, OLD), self.batch(1, 3)]

    def sealed(self, sign: Sign | None = None, packed: bytes = COLUMNS, **changes: Any) -> bytes:
        """Make a batch whose seal is right, whatever stands in it."""
        header = json.dumps({**HEADER, **changes}).encode()
        return sealed_bytes(len(header).to_bytes(4, "little") + header + packed, sign or self.one)


def readings(first: int, count: int) -> tuple[Reading, ...]:
    energy = Series("em-1", "energyImportTotal", "kWh")
    return tuple(Reading(energy, NOVEMBER + n * 60_000, Decimal(n)) for n in range(first, first + count))


def sealed_bytes(rest: bytes, sign: Sign) -> bytes:
    digest = hashlib.sha256(rest).digest()
    return b"GHB3" + digest + sign(b"gatehouse batch 2\0" + digest) + rest


def hostile(honest: Honest) -> list[Hostile]:
    """List what is sent as gw-1; nothing of it may have any effect."""
    following = honest.batch(4, 2)
    assert batch_header(following).first_seq == 4
    bomb = zstandard.ZstdCompressor().compress(bytes(64 * 1024 * 1024))
    refused: Sequence[tuple[str, bytes, int, str]] = (
        ("forged by a stranger", encode_batch(Batch("gw-1", NEW, Lane.BILLING, 4, readings(4, 1)), STRANGER), 403, "_bad_signature"),
        ("forged by another gateway", honest.sealed(honest.two), 403, "_bad_signature"),
        ("signed by nobody", encode_batch(Batch("gw-1", NEW, Lane.BILLING, 4, readings(4, 1))), 403, "_bad_signature"),
        ("another's signature put under it", following[:36] + honest.batches[1][36:100] + following[100:], 403, "_bad_signature"),
        ("changed under its seal", following[:-1] + bytes([following[-1] ^ 1]), 400, "_broken_batch"),
        ("of another gateway", honest.batch(1, 1, edge_id="gw-2"), 403, "_wrong_gateway"),
        ("before its turn", honest.batch(9, 1), 409, "_gap"),
        ("other records under known numbers", honest.batch(1, 3, base=90), 409, "_fork"),
        ("new records of an older store", honest.batch(4, 1, OLD), 409, "_fenced"),
        ("too large", bytes(MAX_BATCH_BYTES + 1), 413, "_too_large"),
        ("nothing", b"", 400, "_broken_batch"),
        ("a page of somebody's", b"<html>" * 99, 400, "_broken_batch"),
        ("of a format of tomorrow", b"GHB9" + following[4:], 400, "_broken_batch"),
        ("a bomb", honest.sealed(packed=bomb), 400, "_broken_batch"),
        ("of a header that is longer than all of it", sealed_bytes(b"\xff\xff\xff\xff{}", honest.one), 400, "_broken_batch"),
        ("of a bottomless header", sealed_bytes(b"\x40\x0d\x03\x00" + b"[" * 200_000, honest.one), 400, "_broken_batch"),
        *(
            (f"of {changes}"[:60], honest.sealed(**changes), 400, "_broken_batch")
            for changes in (
                {"count": 20_001},
                {"count": 0},
                {"count": -1},
                {"count": 1e3},
                {"count": 2**70},
                {"count": 9, "last": 5},
                {"first": 2**64, "last": 2**64},
                {"first": 0},
                {"last": 2**63},
                {"epoch": -1},
                {"epoch": 2**64},
                {"lane": 9},
                {"edge": "../../etc"},
                {"prev": "x"},
                {"names": [0, [["a", "b", "c"]] * 65_001]},
                {"names": [2**40, []]},
                {"names": [0, [["\udcff", "p", "u"]]]},
                {"names": [0, [["a\0", "p", "u"]]]},
                {"names": [0, [["a" * 999, "p", "u"]]]},
                {"clock": [[1, "boot", 2**90, 0]]},
            )
        ),
    )  # fmt: skip
    again = [Hostile(f"said again, store {number}", body, 200, None) for number, body in enumerate(honest.batches)]
    return again + [Hostile(name, body, status, f"sync{key}") for name, body, status, key in refused]


async def fingerprint(db: Database) -> dict[str, str]:
    """Give the rows of every table in which nothing may change."""
    found = {}
    async with db.read() as connection:
        for table in schema.metadata.sorted_tables:
            if table.name not in TOLD:
                rows = (await connection.execute(select(table).order_by(*table.primary_key.columns))).all()
                found[table.name] = f"{len(rows)} {hashlib.sha256(repr(rows).encode()).hexdigest()}"
    return found


async def refusals(db: Database) -> list[tuple[str, str, int]]:
    """Give who was refused, why and how often, in the order of the audit."""
    query = select(schema.audit).where(schema.audit.c.action == "gateways.refused").order_by(schema.audit.c.id)
    async with db.read() as connection:
        rows = (await connection.execute(query)).all()
    found = []
    for row in rows:
        detail = json.loads(row.detail)
        assert detail["what"] or not row.subject.endswith("unknown"), "it says of what"
        found.append((row.subject.removeprefix("gateway:"), detail["reason"], detail["times"]))
    return found

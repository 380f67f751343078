"""Batches that were carried by hand: taken by the very rules of the network, known by their signature."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from central_server import audit
from central_server.db import Database
from central_server.errors import BadRequest, CentralError, Forbidden
from central_server.rbac import system
from central_server.sync import store
from central_server.sync.service import take_batch
from protocols.errors import ProtocolError
from protocols.export import read_export
from protocols.sync import batch_header

_MOST_TOLD = 100  # sentences; a file of garbage has a million of them


@dataclass(slots=True)
class Imported:
    """What became of a file; ``refused`` are sentences, each with the place of its batch in the file, the first ones."""

    batches: int = 0
    new: int = 0
    records: int = 0
    refused: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)


async def import_file(db: Database, path: Path, step: Callable[[int], None] = lambda _: None) -> Imported:
    """Take every batch of a file that ``edge buffer export`` has written; twice changes nothing.

    Shape: ``step`` is told the bytes read so far.

    Raises: BadRequest for a file that is none or was cut; what came before the cut is taken.
    """
    found = Imported()
    try:
        await _import(db, path, step, found)
    except BadRequest as error:
        found.reasons[error.key] += 1
        raise
    finally:
        await _audit(db, path, found)
    return found


async def _import(db: Database, path: Path, step: Callable[[int], None], found: Imported) -> None:
    try:
        with path.open("rb") as file:
            for body in read_export(file.read):
                found.batches += 1
                try:
                    await _take(db, body, found)
                except CentralError as error:
                    found.reasons[error.key] += 1
                    if len(found.refused) < _MOST_TOLD:
                        found.refused.append(f"batch {found.batches}: {error}")
                step(file.tell())
    except OSError as error:
        text = "{file} cannot be read: {reason}. Name a file of 'edge buffer export'."
        raise BadRequest("sync_file", text, file=str(path), reason=error.strerror or str(error)) from None
    except ProtocolError as error:
        text = "{file}: {detail}. The {count} batches before it were taken; export again."
        raise BadRequest("sync_file", text, file=str(path), detail=error.detail, count=found.batches) from None


async def _audit(db: Database, path: Path, found: Imported) -> None:
    """Write down what somebody has carried in, and what of it was refused and why; one entry a file."""
    detail = {"batches": found.batches, "new": found.new, "refused": dict(found.reasons)}
    outcome = "denied" if found.reasons else "done"
    async with db.write() as connection:
        await audit.note(
            connection, system("command line"), "sync.import", f"file:{path.name}", outcome=outcome, **detail
        )


async def _take(db: Database, body: bytes, found: Imported) -> None:
    try:
        header = await asyncio.to_thread(batch_header, body)
    except ProtocolError as error:
        raise BadRequest("sync_broken_batch", "The batch cannot be read: {detail}.", detail=error.detail) from None
    async with db.read() as connection:
        gateway = await store.find_gateway(connection, header.edge_id)
    # Whoever carries a file has no other credential than what the gateway's key has signed.
    if gateway is None or gateway.is_revoked or gateway.sign_key is None:
        text = "Gateway '{edge_id}' is not let in here, or its key is not known: it must have been heard once."
        raise Forbidden("sync_unknown_gateway", text, edge_id=header.edge_id)
    taken = await take_batch(db, gateway, body)
    if taken.batch_id is not None:
        found.new += 1
        found.records += header.size

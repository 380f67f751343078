"""Take a gateway's batches: keep as received, acknowledge after the commit, once each."""

import hashlib
import hmac
import logging
from dataclasses import dataclass

from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.clock import now_ms
from central_server.db import Database
from central_server.errors import BadRequest, Busy, Conflict, Forbidden, NotSignedIn
from central_server.sync import store
from protocols.errors import ProtocolError
from protocols.sync import Header, batch_header, is_edge_id

log = logging.getLogger("central.sync")

_SCHEME = "Gateway "


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch; ``batch_id`` is None where all of it was here before."""

    acked: int
    batch_id: int | None


def secret_hash(secret: str) -> str:
    """Hash a gateway's secret for keeping; it is random, so a slow hash would add nothing."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


async def authenticate(db: Database, authorization: str) -> store.GatewayRow:
    """Find the gateway that an Authorization header proves to be calling.

    Raises: NotSignedIn with the same words for every way of being wrong.
    """
    scheme, credentials = authorization[: len(_SCHEME)], authorization[len(_SCHEME) :]
    edge_id, _, secret = credentials.partition(":")
    found = None
    if is_edge_id(edge_id):
        async with db.read() as connection:
            found = await store.find_gateway(connection, edge_id)
    given = secret_hash(secret)
    is_right = hmac.compare_digest(given, found.secret_hash if found else secret_hash(""))
    if scheme != _SCHEME or found is None or found.is_revoked or not secret or not is_right:
        raise NotSignedIn(
            "sync_bad_secret",
            "The gateway or its secret is not known here. Invite it with 'central edge invite' and put the secret "
            "into the gateway's secret_file.",
        )
    return found


async def take_batch(db: Database, gateway: store.GatewayRow, body: bytes) -> Taken:
    """Store a batch and move its lane's mark in one durable transaction.

    Raises: BadRequest for broken bytes, Forbidden for another gateway's batch, Conflict with
    ``expected`` where records before it are missing.
    """
    try:
        header = batch_header(body)
    except ProtocolError as error:
        text = "The batch cannot be read: {detail}. Nothing was stored; send it again."
        raise BadRequest("sync_broken_batch", text, kind=error.kind, detail=error.detail) from None
    if header.edge_id != gateway.edge_id:
        raise Forbidden(
            "sync_wrong_gateway",
            "Gateway '{caller}' may not deliver a batch of '{edge_id}'.",
            caller=gateway.edge_id,
            edge_id=header.edge_id,
        )
    try:
        async with db.write() as connection:
            return await _store(connection, gateway, header, body)
    except IntegrityError:
        # Two deliveries of the same batch met, on a database with more than one writer: the other one won.
        async with db.write() as connection:
            return await _store(connection, gateway, header, body)
    except OperationalError as error:
        # A full disk or a database that is away: the gateway keeps the batch and comes again.
        log.error("a batch of %s cannot be stored: %s", gateway.edge_id, error.orig)
        raise Busy("sync_cannot_store", "The batch cannot be stored now. Send it again later.", 10) from None


async def _store(connection: AsyncConnection, gateway: store.GatewayRow, header: Header, body: bytes) -> Taken:
    before = await store.read_mark(connection, gateway.id, header)
    mark = before or 0
    if header.last_seq <= mark:
        return Taken(mark, None)
    if header.first_seq > mark + 1:
        raise Conflict(
            "sync_gap",
            "The batch starts at {first}, but {expected} is the next record of this lane.",
            first=header.first_seq,
            expected=mark + 1,
        )
    if not await store.move_mark(connection, gateway.id, header, before):
        raise Conflict(
            "sync_gap", "Another delivery of this lane is under way; go on from {expected}.", expected=mark + 1
        )
    batch_id = await store.append_batch(connection, gateway.id, header, body, mark + 1, now_ms())
    return Taken(header.last_seq, batch_id)

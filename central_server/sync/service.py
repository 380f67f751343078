"""Take a gateway's batches: keep as received, acknowledge after the commit, once each."""

import asyncio
import hashlib
import hmac
import logging
import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import partial

from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.clock import now_ms
from central_server.db import Database
from central_server.errors import BadRequest, Busy, Conflict, Forbidden, NotSignedIn
from central_server.sync import intake, store
from central_server.sync.enrolment import shut_out
from central_server.sync.names import FORK, learn_names, names_of
from protocols.errors import ProtocolError
from protocols.sync import Header, batch_header, is_edge_id

log = logging.getLogger("central.sync")

_SCHEME = "Gateway "
_AT_ONCE = 16  # batches of the log in memory, beside one that comes again
_SIGN_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch; ``batch_id`` is None where all of it was here before.

    Shape: ``head`` is the digest of the batch with which the lane's log ends at ``acked``; the next one names it.
    ``names`` is up to which number the store's series are known.
    """

    acked: int
    batch_id: int | None
    head: str = ""
    names: int = 0


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
        found = await db.look(partial(store.find_gateway, edge_id=edge_id))
    given = secret_hash(secret)
    is_right = hmac.compare_digest(given, found.secret_hash if found else secret_hash(""))
    if scheme != _SCHEME or found is None or found.is_revoked or not secret or not is_right:
        raise NotSignedIn(
            "sync_bad_secret",
            "The gateway or its secret is not known here. Invite it with 'central edge invite' and put the secret "
            "into the gateway's secret_file.",
        )
    return found


async def with_sign_key(db: Database, gateway: store.GatewayRow, told: str) -> store.GatewayRow:
    """Note the key with which a gateway of this machine signs, at the first word of it; from then on no other fits."""
    if gateway.sign_key is not None or not _SIGN_KEY.fullmatch(told):
        return gateway
    async with db.write() as connection:
        await store.pin_sign_key(connection, gateway.id, told, now_ms())
        return await store.find_gateway(connection, gateway.edge_id) or gateway


async def take_batch(db: Database, gateway: store.GatewayRow, body: bytes) -> Taken:
    """Store a batch and move its lane's mark in one durable transaction.

    Raises: BadRequest for broken bytes; Forbidden for another gateway's batch, or one that its key
    has not signed; Conflict with ``expected`` where records before it are missing, with ``have``
    where names are, and where another box or an older store speaks under this gateway's name.
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
    if gateway.sign_key is not None and not header.is_signed_by(gateway.sign_key):
        raise Forbidden(
            "sync_bad_signature",
            "The batch is not signed with the key of gateway '{edge_id}'. If it was exchanged, invite it again.",
            edge_id=gateway.edge_id,
        )
    try:
        taken = await db.keep(partial(_store, gateway=gateway, header=header, body=body, is_compared=False))
        if taken is None:  # to compare takes a while, and no other gateway is to wait for it
            taken = await _compare_and_store(db, gateway, header, body)
        return taken
    except IntegrityError:
        # Two deliveries of the same batch met, on a database with more than one writer: the other one won.
        return await _compare_and_store(db, gateway, header, body)
    except OperationalError as error:
        # A full disk or a database that is away: the gateway keeps the batch and comes again.
        log.error("a batch of %s cannot be stored: %s", gateway.edge_id, error.orig)
        raise Busy("sync_cannot_store", "The batch cannot be stored now. Send it again later.", 10) from None


async def _compare_and_store(db: Database, gateway: store.GatewayRow, header: Header, body: bytes) -> Taken:
    await _check_overlap(db, gateway, header, body)
    taken = await db.keep(partial(_store, gateway=gateway, header=header, body=body, is_compared=True))
    assert taken is not None
    return taken


async def _store(
    connection: AsyncConnection, gateway: store.GatewayRow, header: Header, body: bytes, *, is_compared: bool
) -> Taken | None:
    """Store a batch; None, and nothing done, where some of it is here already and was not compared with it."""
    lane = await store.lane_of(connection, gateway, header)
    if not lane.is_let_in:  # since it called
        raise shut_out(gateway.edge_id)
    mark = lane.mark or 0
    if header.first_seq <= mark and not is_compared:
        return None
    match intake.decide(header, intake.Lane(mark, lane.newest_epoch, lane.is_known_epoch)):
        case intake.Repeated():
            return Taken(mark, None, await store.head_of(connection, gateway.id, header), lane.names)
        case intake.Missing(expected):
            text = "The batch starts at {first}, but {expected} is the next record of this lane."
            raise Conflict("sync_gap", text, first=header.first_seq, expected=expected)
        case intake.Fenced():
            raise Conflict(
                "sync_fenced",
                "Gateway '{edge_id}' has begun a newer store since: this one is an old copy or another box. Nothing of it "
                "is taken. If it is the right one, invite the gateway again and let it begin an empty store.",
                edge_id=gateway.edge_id,
            )
        case intake.Taken(from_seq, is_new_store):
            if is_new_store:
                await store.add_epoch(connection, gateway.id, header.epoch, now_ms())
            if not await store.move_mark(connection, gateway.id, header, lane.mark):
                text = "Another delivery of this lane is under way; go on from {expected}."
                raise Conflict("sync_gap", text, expected=from_seq)
            names = await learn_names(connection, gateway.id, header, lane.names)
            batch_id = await store.append_batch(connection, gateway.id, header, body, from_seq, now_ms())
            return Taken(header.last_seq, batch_id, header.digest, names)


async def _check_overlap(db: Database, gateway: store.GatewayRow, header: Header, body: bytes) -> None:
    """Compare what is here already with what comes again under the same numbers.

    A few batches at a time, and only where the new one has records: its first and last number may be far apart.

    Raises: Conflict.
    """
    async with db.read() as connection:
        names = await names_of(connection, gateway.id, header.epoch)
    mine = await asyncio.to_thread(intake.numbered, body, names)
    seqs, place = sorted(mine), 0
    while place < len(seqs):
        async with db.read() as connection:
            logged = await store.logged_from(connection, gateway.id, header, seqs[place], _AT_ONCE)
        if not logged or any(each.digest == header.digest for each in logged):
            return
        is_fork = await asyncio.to_thread(intake.contradicts, mine, logged, names)
        if is_fork:
            raise Conflict("sync_fork", FORK, edge_id=gateway.edge_id, first=header.first_seq)
        if len(logged) < _AT_ONCE:
            return
        place = max(place + 1, bisect_right(seqs, logged[-1].last_seq))

"""Let a gateway in with a one-time code, give it certificates, know it by them, and shut it out."""

import datetime as dt
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import audit
from central_server.db import Database
from central_server.errors import BadRequest, Forbidden, NotFound, NotSignedIn, TooMany
from central_server.rbac import system
from central_server.schema import certificate, enrolment, gateway, gateway_key
from central_server.sync.authority import Authority, Issued
from central_server.sync.store import GatewayRow, find_gateway, let_in, pin_sign_key
from protocols.enrolment import NAME, code_hash, make_code, read_code
from protocols.errors import ProtocolError

CODE_MS = 15 * 60 * 1000
RENEWALS_A_DAY = 30  # a gateway asks once an hour at most, and only while it has none that is new
_DAY_MS = 86_400_000
_LONGEST_REQUEST = 4096
_SIGN_KEY = re.compile(r"[0-9a-f]{64}")


class Enrolled(NamedTuple):
    """What a gateway is given for its code."""

    edge_id: str
    certificate: str


async def new_code(db: Database, authority: Authority, edge_id: str, now: int) -> str:
    """Make a one-time code for a gateway that is known; the code before it is void. Raises: NotFound."""
    code = make_code(authority.der)
    async with db.write() as connection:
        found = await find_gateway(connection, edge_id)
        if found is None:
            raise NotFound("no_gateway", "There is no gateway '{edge_id}'.", edge_id=edge_id)
        await connection.execute(delete(enrolment).where(enrolment.c.gateway_id == found.id))
        values = {"gateway_id": found.id, "code_hash": code_hash(read_code(code).secret), "expires_at": now + CODE_MS}
        await connection.execute(insert(enrolment).values(values))
        await audit.note(connection, system("command line"), "gateways.invite", f"gateway:{edge_id}")
    return code


async def enrol(db: Database, authority: Authority, told: Any, now: int, peer: str) -> Enrolled:
    """Give a certificate for a code, once.

    The same request may come again while the code lasts, because its answer may have been lost.

    Raises: BadRequest; Forbidden with the same words for every way in which a code is not good.
    """
    code, request, sign_key = (_text(told, key) for key in ("code", "request", "sign_key"))
    if not _SIGN_KEY.fullmatch(sign_key):
        raise BadRequest("enrol_sign_key", "The signing key is not 64 hex digits.")
    try:
        hashed = code_hash(read_code(code).secret)
    except ProtocolError as error:
        raise BadRequest("enrol_code_form", "The code cannot be read: {detail}.", detail=error.detail) from None
    request_hash = hashlib.sha256(f"{request}\n{sign_key}".encode()).hexdigest()
    own = enrolment.c
    is_good = and_(
        own.code_hash == hashed,
        own.expires_at > now,
        or_(own.request_hash.is_(None), own.request_hash == request_hash),
    )
    refusal = Forbidden("enrol_code", "The code is not good any more. Make another with 'central edge invite'.")
    async with db.read() as connection:  # strangers who guess must not keep the one writer from its work
        if (await connection.execute(select(own.gateway_id).where(is_good))).first() is None:
            raise refusal
    async with db.write() as connection:
        used = await connection.execute(update(enrolment).where(is_good).values(request_hash=request_hash))
        if used.rowcount != 1:
            raise refusal
        query = select(gateway.c.id, gateway.c.edge_id).join(enrolment).where(enrolment.c.code_hash == hashed)
        gateway_id, edge_id = (await connection.execute(query)).one()
        issued = authority.for_gateway(request, edge_id, _instant(now))
        # Whoever had this name before is out: a gateway has one box.
        await _revoke_certificates(connection, gateway_id, now)
        await connection.execute(
            update(gateway).where(gateway.c.id == gateway_id).values(sign_key=None, revoked_at=None)
        )
        await pin_sign_key(connection, gateway_id, sign_key, now)
        await _keep(connection, gateway_id, issued, now)
        await audit.note(
            connection, system("gateway"), "gateways.enrol", f"gateway:{edge_id}", serial=issued.serial, peer=peer
        )
    return Enrolled(edge_id, issued.pem)


async def renew(db: Database, authority: Authority, known: GatewayRow, told: Any, now: int) -> str:
    """Give a gateway that is let in its next certificate; the one it has stays good beside it.

    Raises: BadRequest; NotSignedIn where it was shut out since it called; TooMany, so that no gateway fills the disk.
    """
    issued = authority.for_gateway(_text(told, "request"), known.edge_id, _instant(now))
    async with db.write() as connection:
        if (await connection.execute(select(gateway.c.id).where(*let_in(known)))).first() is None:
            raise shut_out(known.edge_id)
        own = certificate.c
        today = select(func.count()).where(own.gateway_id == known.id, own.issued_at > now - _DAY_MS)
        if (await connection.execute(today)).scalar_one() >= RENEWALS_A_DAY:
            text = "This gateway was given {most} certificates within a day. Try again in an hour."
            raise TooMany("enrol_often", text, 3600, most=RENEWALS_A_DAY)
        await _keep(connection, known.id, issued, now)
        await audit.note(
            connection, system("gateway"), "gateways.renew", f"gateway:{known.edge_id}", serial=issued.serial
        )
    return issued.pem


async def authenticate(db: Database, peer_certificate: Mapping[str, Any], now: int) -> GatewayRow:
    """Find the gateway of a certificate that TLS has verified; the database has the last word.

    The key that the gateway signed with last stays in force while it is invited anew.

    Raises: NotSignedIn.
    """
    names: Sequence[tuple[str, str]] = peer_certificate.get("subjectAltName", ())
    edge_id = next((uri.removeprefix(NAME) for kind, uri in names if kind == "URI" and uri.startswith(NAME)), "")
    return await db.look(partial(_let_in, edge_id=edge_id, serial=serial_of(peer_certificate), now=now))


_OWNER = select(certificate.c.gateway_id, certificate.c.expires_at)
_OWNER = _OWNER.where(certificate.c.serial == bindparam("of_serial"), certificate.c.revoked_at.is_(None))


async def _let_in(connection: AsyncConnection, edge_id: str, serial: str, now: int) -> GatewayRow:
    found = await find_gateway(connection, edge_id)
    owner, expires_at = (await connection.execute(_OWNER, {"of_serial": serial})).one_or_none() or (None, 0)
    if found is None or found.is_revoked or owner != found.id:
        raise shut_out(edge_id)
    if expires_at <= now:  # TLS looks at it once, and a connection may live longer
        text = "This gateway's certificate has ended. Enrol it anew: 'central edge invite', then 'edge enroll'."
        raise NotSignedIn("sync_ended", text, edge_id=edge_id)
    if found.sign_key is None:
        own = gateway_key.c
        newest = select(own.sign_key).where(own.gateway_id == found.id).order_by(own.since.desc()).limit(1)
        found = replace(found, sign_key=(await connection.execute(newest)).scalar_one_or_none())
    return found


def shut_out(edge_id: str) -> NotSignedIn:
    """Make the refusal of a gateway that is not let in any more."""
    text = "This gateway's certificate is not good any more. Enrol it anew: 'central edge invite', then 'edge enroll'."
    return NotSignedIn("sync_revoked", text, edge_id=edge_id)


def serial_of(peer_certificate: Mapping[str, Any]) -> str:
    """Give a certificate's serial as it is kept."""
    return str(peer_certificate.get("serialNumber", "")).lower().lstrip("0")


async def revoke_certificates(connection: AsyncConnection, edge_id: str, now: int) -> None:
    """Make every certificate of a gateway void, and the code by which it could have another."""
    found = await find_gateway(connection, edge_id)
    if found is not None:
        await _revoke_certificates(connection, found.id, now)
        await connection.execute(delete(enrolment).where(enrolment.c.gateway_id == found.id))


async def _revoke_certificates(connection: AsyncConnection, gateway_id: int, now: int) -> None:
    await connection.execute(
        update(certificate)
        .where(certificate.c.gateway_id == gateway_id, certificate.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )


async def _keep(connection: AsyncConnection, gateway_id: int, issued: Issued, now: int) -> None:
    expires_at = int(issued.not_after.timestamp() * 1000)
    values = {"serial": issued.serial, "gateway_id": gateway_id, "issued_at": now, "expires_at": expires_at}
    await connection.execute(insert(certificate).values(values))


def _text(told: Any, key: str) -> str:
    value = told.get(key) if isinstance(told, dict) else None
    if not isinstance(value, str) or len(value) > _LONGEST_REQUEST:
        raise BadRequest("enrol_form", "'{field}' is missing or no text of ours.", field=key)
    return value


def _instant(now: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(now / 1000, dt.UTC)

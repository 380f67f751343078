"""Keep the rules of every gateway up to date with the records: a new version whenever anything in them changes."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial, reduce

from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.access import rule_store
from central_server.access.model import SiteRules, build
from central_server.access.rule_store import Stored
from central_server.clock import now_ms
from central_server.db import Database
from protocols.access import Rules, decode_rules, encode_rules
from protocols.access_delta import Delta, decode_delta, delta_between, encode_delta, merge
from protocols.errors import ProtocolError

log = logging.getLogger("central.access")

_TRIES = 5
_MOST_STEPS = 32  # a gateway that lags by more versions is sent the whole
_WORTH = 2  # a delta that is not this many times smaller than the whole is not worth the reckoning


async def refresh_all(db: Database) -> list[int]:
    """Look at every site; give those whose rules have changed."""
    async with db.read() as connection:
        sites = await rule_store.sites(connection)
    return [site_id for site_id in sites if await refresh(db, site_id)]


async def refresh(db: Database, site_id: int) -> bool:
    """Hand down new rules where those of a site's gateways are not of what is on record now; tell whether there were.

    What is read and what is replaced belong to one instant, so that of two who do this at once the
    one with the older records does not win.
    """
    changed = False
    for _ in range(_TRIES):
        async with db.read() as connection:
            rows = await rule_store.source(connection, site_id)
            digest = rows.digest
            with_doors = {row[1] for row in rows.doors}
            old = [
                each
                for each in await rule_store.stored(connection, site_id)
                if each.digest != digest and (each.version or each.gateway_id in with_doors)
            ]
            if not old:
                return changed
            site = await rule_store.whole(connection, site_id, rows)
        is_done = True
        for each in old:
            is_done &= await _hand_down(db, each, site, digest)
        changed = True
        if is_done:
            return True
    return changed


async def _hand_down(db: Database, before: Stored, site: SiteRules, digest: str) -> bool:
    issued_at, version = now_ms(), before.version + 1
    rules = build(site, before.gateway_id, before.edge_id, version, issued_at)
    body = (await asyncio.to_thread(encode_rules, rules)).decode()
    old = await body_for(db, before.gateway_id) if before.version else None
    step = None if old is None else await asyncio.to_thread(_step, old, rules)
    async with db.write() as connection:
        is_done = await rule_store.hand_down(
            connection,
            before.gateway_id,
            before=before.version,
            version=version,
            digest=digest,
            issued_at=issued_at,
            body=body,
        )
        if is_done and step is not None:
            delta, text = step
            await rule_store.keep_step(
                connection,
                before.gateway_id,
                version=version,
                base=delta.base,
                made=delta.hash,
                body=text,
                most=_MOST_STEPS,
            )
    if is_done:
        log.info("door rules of %s: version %d, %d credentials", before.edge_id, version, len(rules.credentials))
    return is_done


def _step(old: bytes, rules: Rules) -> tuple[Delta, str] | None:
    """Say what changes from the rules handed down last; None where those cannot be read."""
    try:
        delta = delta_between(decode_rules(old), rules)
    except ProtocolError:
        return None
    return delta, encode_delta(delta).decode()


async def delta_for(db: Database, gateway_id: int, have: str, whole_bytes: int) -> bytes | None:
    """Give what has changed since the rules a gateway has, "version/hash"; None where the whole is to be sent."""
    version, _, digest = have.partition("/")
    if not (version.isascii() and version.isdecimal() and len(version) <= 16 and digest):
        return None
    async with db.read() as connection:
        steps = await rule_store.steps_of(connection, gateway_id, int(version))
    if not steps or steps[0][0] != digest or sum(len(body) for _, _, body in steps) * _WORTH > whole_bytes:
        return None
    return await asyncio.to_thread(_joined, [body for _, _, body in steps])


def _joined(bodies: Sequence[str]) -> bytes | None:
    deltas = [decode_delta(body.encode()) for body in bodies]
    try:
        return encode_delta(reduce(merge, deltas))
    except ValueError:  # a restored copy has counted on from a version that it never had
        return None


async def note_version(connection: AsyncConnection, gateway_id: int, told: object) -> int | None:
    """Take note of the version a gateway decides by, and give the one that it is to have; None where it has no doors.

    A gateway refuses rules of a lower version than its own, as it must, and a restored centre must not hand down such
    for ever.
    """
    ours = await rule_store.version_of(connection, gateway_id)
    if type(told) is not int or ours is None or not ours < told < 2**53:
        return ours
    if await rule_store.go_on_from(connection, gateway_id, told):
        log.warning("gateway %d has door rules %d, newer than ours: counting on from there", gateway_id, told)
    return await rule_store.version_of(connection, gateway_id)


async def version_for(db: Database, gateway_id: int) -> int | None:
    """Give the version of a gateway's rules; None where it has no doors."""
    return await db.look(partial(rule_store.version_of, gateway_id=gateway_id))


async def body_for(db: Database, gateway_id: int) -> bytes | None:
    """Give a gateway's rules as they are sent."""
    async with db.read() as connection:
        found = await rule_store.body_of(connection, gateway_id)
    return None if found is None else found.encode()

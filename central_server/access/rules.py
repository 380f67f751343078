"""Keep the rules of every gateway up to date with the records: a new version whenever anything in them changes."""

import asyncio
import logging

from central_server.access import rule_store
from central_server.access.model import SiteRules, build
from central_server.access.rule_store import Stored
from central_server.clock import now_ms
from central_server.db import Database
from protocols.access import encode_rules

log = logging.getLogger("central.access")

_TRIES = 5


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
    if is_done:
        log.info("door rules of %s: version %d, %d credentials", before.edge_id, version, len(rules.credentials))
    return is_done


async def note_version(db: Database, gateway_id: int, told: object) -> None:
    """Take note of the version a gateway decides by: a restored centre must not hand down older ones for ever.

    A gateway refuses rules of a lower version than its own, as it must.
    """
    if type(told) is not int or not 0 < told < 2**53:
        return
    ours = await version_for(db, gateway_id)
    if ours is not None and told > ours:
        async with db.write() as connection:
            if await rule_store.go_on_from(connection, gateway_id, told):
                log.warning("gateway %d has door rules %d, newer than ours: counting on from there", gateway_id, told)


async def version_for(db: Database, gateway_id: int) -> int | None:
    """Give the version of a gateway's rules; None where it has no doors."""
    async with db.read() as connection:
        return await rule_store.version_of(connection, gateway_id)


async def body_for(db: Database, gateway_id: int) -> bytes | None:
    """Give a gateway's rules as they are sent."""
    async with db.read() as connection:
        found = await rule_store.body_of(connection, gateway_id)
    return None if found is None else found.encode()

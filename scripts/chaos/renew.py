"""Renew a gateway's certificate again and again while it delivers: by real TLS, and every record counted once.

The gateway's clock says that two thirds of the certificate's life are over, whichever it has, so that it
renews whenever it may; each new certificate is shown on a new connection, in the middle of the delivery.
"""

import argparse
import asyncio
import datetime as dt
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiohttp import web

from central_server.app import build_app, build_door
from central_server.clock import now_ms
from central_server.config import Config
from central_server.db import Database
from central_server.devices.service import invite
from central_server.migrate import migrate
from central_server.sync import enrolment
from central_server.sync.authority import GATEWAY_DAYS, load_authority, server_context
from central_server.sync.proof import prove
from edge_agent.certificate import Certificate
from edge_agent.enrolment import enrol
from edge_agent.identity import load_signer
from edge_agent.store import Store
from edge_agent.sync import Policy
from edge_agent.transport import Link
from edge_agent.uplink import UplinkClient
from protocols.record import Lane, Reading, Series
from scripts.chaos.rig import conclude
from tests.central_server.vault import KEY_FILE, VAULT

ENERGY = Series("em-1", "energyImportTotal", "kWh")
QUICK = Policy(pace_s=0.01, touch_s=0.01, status_s=0.2, backoff_s=0.02, backoff_most_s=0.2, refused_s=0.1)


def later() -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(days=GATEWAY_DAYS * 0.7)


class Restless(Certificate):
    """Asks for the next certificate with every request, until it has had enough."""

    def __init__(self, data: Path, most: int) -> None:
        super().__init__(data, "gw-1", later)
        self.count, self._most = 0, most

    async def renew(self, link: Link) -> None:
        if self.count < self._most:
            self._again_at = 0.0
            await super().renew(link)
            self.count += 1


async def run(folder: Path, renewals: int) -> dict[str, Any]:
    enrolment.RENEWALS_A_DAY = renewals + 2  # so many in a day only a campaign wants
    db, now = Database(f"sqlite:///{folder / 'central.db'}", VAULT), dt.datetime.now(dt.UTC)
    await migrate(db)
    async with db.write() as connection:
        await connection.exec_driver_sql("INSERT INTO site (code, name, zone) VALUES ('lake', '', 'UTC')")
    app = build_app(Config(folder / "central.toml", "127.0.0.1", 0, "", "en", "UTC", KEY_FILE), db)
    authority = load_authority(folder / "authority", now)
    own = web.AppRunner(app)
    door = web.AppRunner(build_door(app, authority), shutdown_timeout=1)
    await own.setup()
    await door.setup()
    context = server_context(authority, ["127.0.0.1"], folder / "authority", now)
    await web.TCPSite(door, "127.0.0.1", 0, ssl_context=context).start()
    url, data = f"https://127.0.0.1:{door.addresses[0][1]}", folder / "gw-1"
    await invite(db, "lake", "gw-1")
    await enrol(url, await enrolment.new_code(db, authority, "gw-1", now_ms()), data, "gw-1")
    credential, accepted, began = Restless(data, renewals), 0, time.monotonic()
    async with await Store.open(data / "edge.db", "gw-1", window_s=0.005) as store:
        uplink = UplinkClient(url, credential, store, lambda: {"edge_id": "gw-1"}, load_signer(data), policy=QUICK)
        running = asyncio.create_task(uplink.run())
        while credential.count < renewals:
            await store.append(Lane.BILLING, [Reading(ENERGY, now_ms(), Decimal(accepted + n)) for n in range(10)])
            accepted += 10
            await asyncio.sleep(0.005)
        async with asyncio.timeout(60):
            while store.lanes()[Lane.BILLING].acked_seq < accepted:  # noqa: ASYNC110 - the store tells nobody of Acks
                await asyncio.sleep(0.05)
        running.cancel()
    seconds, proof = time.monotonic() - began, await prove(db)
    async with db.read() as connection:
        issued = (await connection.exec_driver_sql("SELECT count(*) FROM certificate")).scalar_one()
    await door.cleanup()
    await own.cleanup()
    await db.close()
    failed = list(proof.faults)
    if proof.records != accepted:
        failed.append(f"{accepted} records were accepted, and {proof.records} are at the centre")
    if issued != renewals + 1:
        failed.append(f"{renewals} renewals made {issued} certificates")
    figures = {"accepted": accepted, "at_the_centre": proof.records, "batches": proof.batches}
    return {"renewals": renewals, "failed": failed, **figures, "seconds": round(seconds, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/chaos/renew", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--renewals", type=int, default=1000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        conclude(asyncio.run(run(Path(folder), asked.renewals)))


if __name__ == "__main__":
    main()

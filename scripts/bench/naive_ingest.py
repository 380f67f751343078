"""The baseline of the ingest benchmark: a plain endpoint that is correct, and not clever. Argument: the database."""

import asyncio
import json
import sqlite3
import sys

from aiohttp import web


def make_app(path: str) -> web.Application:
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute(
        "CREATE TABLE reading (edge TEXT, epoch INTEGER, lane INTEGER, seq INTEGER, device TEXT, point TEXT, "
        "unit TEXT, at INTEGER, value TEXT, quality INTEGER, PRIMARY KEY (edge, epoch, lane, seq))"
    )
    columns = ("edge", "epoch", "lane", "seq", "device", "point", "unit", "at", "value", "quality")
    insert = f"INSERT OR IGNORE INTO reading VALUES ({', '.join(f':{name}' for name in columns)})"

    async def take(request: web.Request) -> web.Response:
        rows = json.loads(await request.read())
        with db:
            db.executemany(insert, rows)
        return web.json_response({"acked": rows[-1]["seq"]})

    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/readings", take)
    return app


async def main() -> None:
    runner = web.AppRunner(make_app(sys.argv[1]), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print("ready: http://{}:{}".format(*runner.addresses[0][:2]), file=sys.stderr, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())

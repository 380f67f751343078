"""The composition root: what the server is made of, started and stopped in order."""

import asyncio
import errno
import logging
import signal
from collections.abc import AsyncIterator

from aiohttp import web
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from central_server import scheduler
from central_server import web as shell
from central_server.access import jobs as access_jobs
from central_server.access import views as access
from central_server.admin import views as admin
from central_server.billing import views as billing
from central_server.config import Config
from central_server.dashboard import views as dashboard
from central_server.db import Database
from central_server.devices.service import GatewayWatch
from central_server.errors import Busy, UsageError
from central_server.inspection import jobs as inspection_jobs
from central_server.inspection import views as inspection
from central_server.lifts import views as lifts
from central_server.live import Hub
from central_server.notices import views as notices
from central_server.parking import jobs as parking_jobs
from central_server.parking import views as parking
from central_server.photos import views as photos
from central_server.portal import views as portal
from central_server.records import views as records
from central_server.reports import views as reports
from central_server.sync import views as sync
from central_server.visitors import jobs as visitor_jobs
from central_server.visitors import views as visitors
from central_server.web import CONFIG, DB, HUB, ROUTES, Policy, Route
from central_server.workorders import jobs as workorder_jobs
from central_server.workorders import views as workorders

log = logging.getLogger("central")

JOBS: tuple[scheduler.Job, ...] = (
    *access_jobs.JOBS,
    *parking_jobs.JOBS,
    *visitor_jobs.JOBS,
    *workorder_jobs.JOBS,
    *inspection_jobs.JOBS,
)

_GRACE_S = 1.0  # for requests under way when the server stops
_MOST_BYTES = 40 * 1024 * 1024  # of any form; each route has its own limit, far lower but for photos


async def healthz(_request: web.Request) -> web.Response:
    """Say that the process answers."""
    return web.json_response({"ok": True})


async def readyz(request: web.Request) -> web.Response:
    """Say that the database answers as well."""
    try:
        async with request.app[DB].read() as connection:
            await connection.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError):
        log.exception("the database does not answer")
        raise Busy("not_ready", "The database does not answer.") from None
    return web.json_response({"ok": True})


def routes() -> list[Route]:
    """Give every route of the server; the tests walk this table."""
    return [
        Route("GET", "/healthz", healthz, Policy.PUBLIC),
        Route("GET", "/readyz", readyz, Policy.PUBLIC),
        *sync.routes(),
        *photos.routes(),
        *dashboard.routes(),
        *admin.routes(),
        *access.routes(),
        *lifts.routes(),
        *billing.routes(),
        *workorders.routes(),
        *inspection.routes(),
        *parking.routes(),
        *notices.routes(),
        *visitors.routes(),
        *portal.routes(),
        *records.routes(),
        *reports.routes(),
    ]


def build_app(config: Config, db: Database) -> web.Application:
    """Put the server together; the database must be of this version."""
    app = web.Application(middlewares=[shell.error_boundary, shell.access], client_max_size=_MOST_BYTES, logger=log)
    app[DB], app[CONFIG], app[HUB] = db, config, Hub()
    app[ROUTES] = {}
    sync.set_up(app)
    app.on_response_prepare.append(shell.add_security_headers)
    app.on_shutdown.append(_end_streams)
    app.cleanup_ctx.append(_background)
    dashboard.set_up(app)
    shell.add_routes(app, routes())
    return app


async def _end_streams(app: web.Application) -> None:
    app[HUB].close()


async def _background(app: web.Application) -> AsyncIterator[None]:
    """Run what works beside the requests, and end it with the server."""
    tasks = [
        asyncio.create_task(app[sync.EXPANDER].run(), name="expansion"),
        asyncio.create_task(GatewayWatch(app[DB], app[HUB]).run(), name="gateway-watch"),
        asyncio.create_task(scheduler.run(JOBS, app[DB], app[HUB]), name="scheduler"),
    ]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def serve(config: Config, db: Database) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises: UsageError for an address that cannot be had.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runner = web.AppRunner(build_app(config, db), access_log=None, shutdown_timeout=_GRACE_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, config.host, config.port).start()
    except OSError as error:
        await runner.cleanup()
        raise _unusable(config, error) from None
    address = runner.addresses[0]
    log.info("ready: http://%s:%d/", address[0], address[1])
    await stop.wait()
    log.info("stopping")
    await runner.cleanup()


def _unusable(config: Config, error: OSError) -> UsageError:
    where = f"{config.host}:{config.port}"
    if error.errno == errno.EADDRINUSE:
        return UsageError(
            "port_in_use",
            "{where} is in use by another program, perhaps another centre. Stop it, or change 'listen' in {file}.",
            where=where,
            file=str(config.file),
        )
    return UsageError(
        "address_unusable",
        "The server cannot listen on {where}: {reason}. Change 'listen' in {file}.",
        where=where,
        reason=error.strerror or str(error),
        file=str(config.file),
    )

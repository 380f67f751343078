"""The composition root: what the server is made of, started and stopped in order."""

import asyncio
import errno
import logging
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from central_server import scheduler
from central_server import web as shell
from central_server.access import jobs as access_jobs
from central_server.access import views as access
from central_server.admin import views as admin
from central_server.billing import views as billing
from central_server.commands import views as commands
from central_server.config import Config, Door
from central_server.configs import pages as config_pages
from central_server.configs import views as configs
from central_server.crypto import vault_of
from central_server.dashboard import views as dashboard
from central_server.db import Database
from central_server.devices.service import GatewayWatch
from central_server.errors import Busy, NotSignedIn, UsageError
from central_server.gaps import views as gaps
from central_server.inspection import jobs as inspection_jobs
from central_server.inspection import views as inspection
from central_server.lifts import views as lifts
from central_server.live import Hub
from central_server.notices import views as notices
from central_server.parking import jobs as parking_jobs
from central_server.parking import views as parking
from central_server.photos import views as photos
from central_server.portal import views as portal
from central_server.quarantine import views as quarantine
from central_server.records import views as records
from central_server.reports import use_views as use_reports
from central_server.reports import views as reports
from central_server.sync import views as sync
from central_server.sync.authority import SERVER_DAYS, Authority, load_authority, renew_server, server_context
from central_server.sync.broker import broker_tls
from central_server.sync.down import DOWN
from central_server.sync.mqtt import Ingester
from central_server.telemetry import compaction
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
    *compaction.JOBS,
)

_RENEW_S = SERVER_DAYS * 86_400 / 3
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
        *gaps.routes(),
        *commands.routes(),
        *config_pages.routes(),
        *billing.routes(),
        *workorders.routes(),
        *inspection.routes(),
        *parking.routes(),
        *notices.routes(),
        *visitors.routes(),
        *portal.routes(),
        *quarantine.routes(),
        *records.routes(),
        *reports.routes(),
        *use_reports.routes(),
    ]


def build_app(config: Config, db: Database) -> web.Application:
    """Put the server together; the database must be of this version."""
    app = web.Application(middlewares=[shell.error_boundary, shell.access], client_max_size=_MOST_BYTES, logger=log)
    app[DB], app[CONFIG], app[HUB] = db, config, Hub()
    app[ROUTES] = {}
    sync.set_up(app)
    commands.set_up(app)
    configs.set_up(app)
    app.on_response_prepare.append(shell.add_security_headers)
    app.on_shutdown.append(_end_streams)
    app.on_shutdown.append(_end_links)
    app.cleanup_ctx.append(_background)
    dashboard.set_up(app)
    shell.add_routes(app, routes())
    return app


def build_door(app: web.Application, authority: Authority) -> web.Application:
    """Put the gateways' own door together: the same work, and no page of people's."""
    door = web.Application(middlewares=[shell.error_boundary, shell.access], logger=log)
    door[DB], door[CONFIG], door[HUB] = app[DB], app[CONFIG], app[HUB]
    door[sync.EXPANDER], door[sync.GATE], door[sync.REFUSALS] = app[sync.EXPANDER], app[sync.GATE], app[sync.REFUSALS]
    door[sync.LAG], door[sync.SNAPSHOTS] = app[sync.LAG], app[sync.SNAPSHOTS]
    door[configs.CONFIGS] = app[configs.CONFIGS]
    door[ROUTES], door[sync.AUTHORITY], door[DOWN] = {}, authority, app[DOWN]
    door.on_shutdown.append(_end_links)
    door.on_response_prepare.append(shell.add_security_headers)
    door.on_response_prepare.append(_end_unknown)
    shell.add_routes(door, sync.door_routes())
    return door


async def _end_streams(app: web.Application) -> None:
    app[HUB].close()


async def _end_unknown(_request: web.Request, response: web.StreamResponse) -> None:
    """End the connection of whoever is not let in, so that one who was shut out is out."""
    if response.status == NotSignedIn.status:
        response.force_close()
        response.headers["Connection"] = "close"


async def _end_links(app: web.Application) -> None:
    app[DOWN].close()


async def _background(app: web.Application) -> AsyncIterator[None]:
    """Run what works beside the requests, and end it with the server."""
    tasks = [
        asyncio.create_task(app[sync.EXPANDER].run(), name="expansion"),
        asyncio.create_task(app[sync.SNAPSHOTS].run(), name="snapshots"),
        asyncio.create_task(app[sync.REFUSALS].run(), name="refusals"),
        asyncio.create_task(GatewayWatch(app[DB], app[HUB]).run(), name="gateway-watch"),
        asyncio.create_task(app[DOWN].watch(), name="down-watch"),
        asyncio.create_task(app[commands.COMMANDS].run(), name="commands"),
        asyncio.create_task(app[configs.CONFIGS].run(), name="configs"),
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
    async with AsyncExitStack() as stack:
        app = build_app(config, db)
        host, port = await _listen(stack, app, config, config.host, config.port)
        log.info("ready: http://%s:%d/", host, port)
        if config.door is not None:
            now = datetime.now(UTC)
            authority = load_authority(config.door.authority, now)
            context = server_context(authority, config.door.names, config.door.authority, now)
            door = build_door(app, authority)
            host, port = await _listen(stack, door, config, config.door.host, config.door.port, context)
            log.info("gateways are let in at https://%s:%d/", host, port)
            stack.push_async_callback(_stop, asyncio.create_task(_renew(config.door, authority, context)))
            if config.broker is not None:
                stack.push_async_callback(_stop, asyncio.create_task(new_ingester(door, config.broker).run()))
        await stop.wait()
        log.info("stopping")


def new_ingester(door: web.Application, url: str) -> Ingester:
    """Make what takes the gateways' requests from a broker and works on them as their own door does."""
    key = Ed25519PrivateKey.from_private_bytes(vault_of(door[DB].engine.dialect).command_seed)
    tls = partial(broker_tls, url, door[sync.AUTHORITY])
    return Ingester(door, url, tls, key.sign)


async def ingest(config: Config, db: Database) -> None:
    """Take from the broker only, beside a server that serves, until SIGTERM or SIGINT. Raises: UsageError."""
    if config.door is None or config.broker is None:
        text = "There is no broker in {file}. Add [mqtt] with its url, such as mqtts://broker.example:8883."
        raise UsageError("no_broker", text, file=str(config.file))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    app = build_app(config, db)
    door = build_door(app, load_authority(config.door.authority, datetime.now(UTC)))
    tasks = [asyncio.create_task(new_ingester(door, config.broker).run())]
    tasks += [asyncio.create_task(app[sync.SNAPSHOTS].run()), asyncio.create_task(app[sync.REFUSALS].run())]
    await stop.wait()
    for task in tasks:
        await _stop(task)


async def _listen(
    stack: AsyncExitStack,
    app: web.Application,
    config: Config,
    host: str,
    port: int,
    context: ssl.SSLContext | None = None,
) -> tuple[str, int]:
    """Serve an application until the stack unwinds; give where. Raises: UsageError."""
    # Nobody who comes here packs a body, so none is unpacked: a small one cannot fill the memory.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GRACE_S, auto_decompress=False)
    stack.push_async_callback(runner.cleanup)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=context).start()
    except OSError as error:
        raise _unusable(config, f"{host}:{port}", error) from None
    name, number = runner.addresses[0][:2]
    return str(name), int(number)


async def _renew(door: Door, authority: Authority, context: ssl.SSLContext) -> None:
    """Give the gateways' door its next certificate well before the last one ends; new connections have it."""
    while True:
        await asyncio.sleep(_RENEW_S)
        renew_server(context, authority, door.names, door.authority, datetime.now(UTC))


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _unusable(config: Config, where: str, error: OSError) -> UsageError:
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

"""The pages of commands: order something of a device, see what became of it, and of those before."""

from typing import Annotated

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel, StringConstraints

from central_server.commands import store
from central_server.commands.model import Orderable, orderables
from central_server.commands.page_words import code_word, command_context
from central_server.commands.service import Commands
from central_server.crypto import vault_of
from central_server.dashboard.page import page, show_for
from central_server.dashboard.paging import fit, page_number
from central_server.dashboard.words import point_name
from central_server.devices import service as devices
from central_server.devices.service import DeviceView
from central_server.errors import NotFound
from central_server.form import EMPTY, Invalid, Problem, Typed, parse, read_form
from central_server.rbac import Right
from central_server.sync.down import DOWN, Down
from central_server.web import DB, HUB, Handler, Route, actor_of
from protocols.command import OPEN, WRITE

COMMANDS = web.AppKey("COMMANDS", Commands)
_PAGE = 50


class _Why(BaseModel):
    reason: Annotated[str, StringConstraints(min_length=2, max_length=200)]


class _What(_Why):
    value: Annotated[str, StringConstraints(min_length=1, max_length=32)]


def set_up(app: web.Application) -> None:
    """Give an application the way down to the gateways, and what is sent on it."""
    key = Ed25519PrivateKey.from_private_bytes(vault_of(app[DB].engine.dialect).command_seed)
    down = Down(app[DB], key.public_key().public_bytes_raw().hex())
    commands = Commands(app[DB], app[HUB], down, key.sign)
    app[DOWN], app[COMMANDS] = down, commands
    down.on("hello", commands.greeted)
    down.on("command_result", commands.answered)


def ordering(action: str) -> tuple[Handler, Handler]:
    """Make the handlers that ask whether an action is meant, and that order it."""

    async def ask(request: web.Request) -> web.StreamResponse:
        view = await _device(request)
        return await _ask(request, view, _chosen(view, action, request.query.get("point", "")), EMPTY)

    async def order(request: web.Request) -> web.StreamResponse:
        typed, view = await read_form(request), await _device(request)
        wanted = _chosen(view, action, request.query.get("point", ""))
        try:
            value, reason = _read(wanted, typed)
        except Invalid as refused:
            return await _ask(request, view, wanted, typed, refused)
        made = await request.app[COMMANDS].issue(actor_of(request), view.device.id, wanted, value, reason)
        raise web.HTTPSeeOther(f"/commands/{made}")

    return ask, order


async def one_command(request: web.Request) -> web.StreamResponse:
    """Show what became of a command; the page follows it."""
    row = await request.app[COMMANDS].get(actor_of(request), request.match_info["id"])
    show = show_for(request, row.zone)
    return await page(request, "commands/command.html", show, row=row, **command_context(show))


async def command_list(request: web.Request) -> web.StreamResponse:
    """List commands, newest first, of one device where the address names it."""
    number, actor, named = (
        page_number(request.query.get("page", "1")),
        actor_of(request),
        request.query.get("device", ""),
    )
    device_id = int(named) if named.isascii() and named.isdecimal() and len(named) <= 15 else None
    async with request.app[DB].read() as connection:
        total = await store.how_many(connection, actor, device_id)
        number = min(number, max(1, -(-total // _PAGE)))
        rows = await store.listed(connection, actor, device_id=device_id, limit=_PAGE, offset=(number - 1) * _PAGE)
    show = show_for(request)
    return await page(
        request, "commands/list.html", show, paged=fit(rows, total, number, _PAGE), **command_context(show)
    )


def _read(wanted: Orderable, typed: Typed) -> tuple[str, str]:
    """Read the form. Raises: Invalid."""
    if wanted.action != WRITE:
        return "", parse(_Why, typed).reason
    found = parse(_What, typed)
    if wanted.takes(found.value):
        return found.value, found.reason
    if wanted.states is not None:
        raise Invalid({"value": Problem("Choose one of the list.")})
    ends = {"low": f"{wanted.low:f}", "high": f"{wanted.high:f}"}
    raise Invalid({"value": Problem("Write a number from {low} to {high}.", ends)})


async def _ask(
    request: web.Request, view: DeviceView, wanted: Orderable, typed: Typed, refused: Invalid | None = None
) -> web.StreamResponse:
    show, kind = show_for(request), view.device.kind
    choices = [(code, code_word(kind, wanted.point, code, show, word)) for code, word in (wanted.states or {}).items()]
    return await page(
        request,
        "commands/new.html",
        show,
        422 if refused else 200,
        view=view,
        wanted=wanted,
        choices=choices,
        name=point_name(wanted.point, show.language.gettext) if wanted.point else "",
        typed=typed,
        problems=refused.problems if refused else {},
        is_there=view.gateway.id in request.app[DOWN].connected(),
        **command_context(show),
    )


async def _device(request: web.Request) -> DeviceView:
    text = request.match_info["id"]
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise NotFound("no_device", "There is no such device.")
    return await devices.get_device(request.app[DB], actor_of(request), int(text))


def _chosen(view: DeviceView, action: str, point: str) -> Orderable:
    """Find what is meant among what the device takes. Raises: NotFound."""
    for each in orderables(view.state):
        if each.action == action and (action == OPEN or each.point == point):
            return each
    raise NotFound("no_command", "This device takes no such command.")


def routes() -> list[Route]:
    """Give the routes of commands with who may use them."""
    ask_open, open_door = ordering(OPEN)
    ask_write, write = ordering(WRITE)
    return [
        Route("GET", "/commands", command_list, Right.COMMANDS_SEE),
        Route("GET", "/commands/{id}", one_command, Right.COMMANDS_SEE),
        Route("GET", "/devices/{id}/open", ask_open, Right.DOORS_OPEN),
        Route("POST", "/devices/{id}/open", open_door, Right.DOORS_OPEN),
        Route("GET", "/devices/{id}/write", ask_write, Right.DEVICES_ORDER),
        Route("POST", "/devices/{id}/write", write, Right.DEVICES_ORDER),
    ]

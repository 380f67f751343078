"""What was set aside: the list, one with its bytes, another try, and the end of it with a remark."""

from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, Field

from central_server.dashboard.page import page, show_for
from central_server.dashboard.paging import fit, page_number
from central_server.dashboard.show import Show
from central_server.errors import Conflict, NotFound
from central_server.form import EMPTY, Invalid, Typed, parse, read_form
from central_server.quarantine import service, words
from central_server.quarantine.hexdump import hexdump
from central_server.rbac import Right
from central_server.sync.quarantine import WHOLE
from central_server.sync.views import EXPANDER
from central_server.web import DB, Route, actor_of
from protocols.errors import ProtocolError
from protocols.sync import Reading, Series, batch_header, decode_batch


class Dismissal(BaseModel):
    """Why somebody lets something rest."""

    remark: Annotated[str, Field(min_length=3, max_length=500)]


async def entry_list(request: web.Request) -> web.StreamResponse:
    """List what is set aside, filtered as the address says."""
    number, state = page_number(request.query.get("page", "1")), request.query.get("state", "open")
    wanted = service.Wanted(request.query.get("q", "").strip()[:64], state if state in service.STATES else "open")
    total, entries = await service.list_entries(request.app[DB], actor_of(request), wanted, number)
    return await page(
        request,
        "quarantine/list.html",
        show_for(request),
        paged=fit(entries, total, number, service.PAGE),
        wanted=wanted,
        reasons=words.REASONS,
        outcomes=words.OUTCOMES,
        lanes=words.LANES,
    )


async def one_entry(request: web.Request) -> web.StreamResponse:
    """Show one thing set aside."""
    return await _one(request, EMPTY)


async def try_again(request: web.Request) -> web.StreamResponse:
    """Have it expanded again."""
    key = _key(request)
    try:
        await service.try_again(request.app[DB], actor_of(request), key)
    except Conflict as problem:
        return await _one(request, EMPTY, problem=problem)
    request.app[EXPANDER].wake()
    raise web.HTTPSeeOther(f"/quarantine/{key}?done=retried")


async def dismiss(request: web.Request) -> web.StreamResponse:
    """Let it rest, with a remark."""
    typed, key = await read_form(request), _key(request)
    try:
        remark = parse(Dismissal, typed).remark
        await service.dismiss(request.app[DB], actor_of(request), key, remark)
    except Invalid as refused:
        return await _one(request, typed, refused)
    except Conflict as problem:
        return await _one(request, typed, problem=problem)
    raise web.HTTPSeeOther(f"/quarantine/{key}?done=dismissed")


async def _one(
    request: web.Request, typed: Typed, refused: Invalid | None = None, problem: Conflict | None = None
) -> web.StreamResponse:
    show = show_for(request)
    found = await service.open_entry(request.app[DB], actor_of(request), _key(request))
    return await page(
        request,
        "quarantine/entry.html",
        show,
        422 if refused else 409 if problem else 200,
        typed=typed,
        problems=refused.problems if refused else {},
        problem=show.language.gettext(problem.text) if problem else "",
        found=found,
        entry=found.entry,
        header=_header(found.body),
        record=_record(found.body, found.names, found.entry.seq),
        dump=hexdump(found.body),
        timed=lambda at: _timed(at, show),
        done=request.query.get("done", ""),
        reasons=words.REASONS,
        outcomes=words.OUTCOMES,
        lanes=words.LANES,
        remedies=words.REMEDIES,
    )


def _header(body: bytes) -> list[tuple[str, str]]:
    """Give what a batch says of itself, as far as it can be read."""
    try:
        header = batch_header(body)
    except ProtocolError as error:
        return [("error", f"{error.kind}: {error.detail}")]
    signed = header.signature.hex()[:32] if header.signature else ""
    return [
        ("edge", header.edge_id),
        ("epoch", str(header.epoch)),
        ("lane", header.lane.word),
        ("first", str(header.first_seq)),
        ("last", str(header.last_seq)),
        ("count", str(header.size)),
        ("prev", header.prev),
        ("signature", signed),
        ("names", ", ".join("/".join(name) for name in header.names[:20])),
    ]


def _record(body: bytes, names: dict[int, Series], seq: int) -> list[tuple[str, Any]]:
    """Give the one record that is meant, field by field; nothing where it is the whole batch or cannot be read."""
    if seq == WHOLE:
        return []
    try:
        found = dict(decode_batch(body, names).numbered()).get(seq)
    except ProtocolError:
        return []
    if found is None:
        return []
    if isinstance(found, Reading):
        series, at, value, quality, raw = found
        shown = "" if value is None else format(value, "f")
        return [
            *series._asdict().items(),
            ("taken_at", at),
            ("value", shown),
            ("quality", quality.word),
            ("raw", raw.hex()),
        ]
    return [("kind", found.kind), ("subject", found.subject), ("at", found.at), ("body", str(found.body)[:2000])]


def _timed(at: int, show: Show) -> str:
    """Write an instant, which may be one that no calendar has."""
    try:
        return show.full(at)
    except (ValueError, OverflowError, OSError):
        return "–"


def _key(request: web.Request) -> int:
    text = request.match_info["id"]
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise NotFound("no_quarantine", "Nothing is set aside under this number.")
    return int(text)


def routes() -> list[Route]:
    """Give the routes of what was set aside."""
    return [
        Route("GET", "/quarantine", entry_list, Right.QUARANTINE_SEE),
        Route("GET", "/quarantine/{id}", one_entry, Right.QUARANTINE_SEE),
        Route("POST", "/quarantine/{id}/retry", try_again, Right.QUARANTINE_SETTLE),
        Route("POST", "/quarantine/{id}/dismiss", dismiss, Right.QUARANTINE_SETTLE),
    ]

"""The workbook's pages: the template, everything as a workbook, a file looked at, a file brought in."""

import asyncio

from aiohttp import web

from central_server.dashboard.page import language_of
from central_server.form import EMPTY, Invalid, Typed, parse, read_form
from central_server.records import export, uploads, workbook
from central_server.records.entry import Reason
from central_server.records.pages import path_key, records_page
from central_server.web import DB, actor_of

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


async def import_page(request: web.Request) -> web.StreamResponse:
    """Offer the template, and ask for a file."""
    return await _page(request, EMPTY)


async def _page(request: web.Request, typed: Typed, refused: Invalid | None = None) -> web.StreamResponse:
    problems = refused.problems if refused else {}
    status = 422 if refused else 200
    return await records_page(request, "import.html", status=status, typed=typed, problems=problems)


async def template(request: web.Request) -> web.StreamResponse:
    """Give the empty workbook in the reader's language."""
    return _file(await asyncio.to_thread(workbook.write, language_of(request), {}), "records-template")


async def export_all(request: web.Request) -> web.StreamResponse:
    """Give everything the actor sees as a workbook, for a reason that the audit keeps."""
    typed = await read_form(request)
    try:
        reason = parse(Reason, typed).reason
    except Invalid as refused:
        return await _page(request, typed, refused)
    rows = await export.rows(request.app[DB], actor_of(request), reason)
    return _file(await asyncio.to_thread(workbook.write, language_of(request), rows), "records")


def _file(body: bytes, name: str) -> web.Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}.xlsx"'}
    return web.Response(body=body, content_type=_XLSX, headers=headers)


async def upload(request: web.Request) -> web.StreamResponse:
    """Keep a file and go on to what it would do."""
    typed = await read_form(request)
    try:
        chosen = typed.files.get("file", [])
        if not chosen:
            raise Invalid({"file": uploads.NO_FILE})
        body = await asyncio.to_thread(chosen[0].file.read)
        key = await uploads.keep(request.app[DB], actor_of(request), chosen[0].filename, body)
    except Invalid as refused:
        return await _page(request, typed, refused)
    raise web.HTTPSeeOther(f"/records/import/{key}")


async def look(request: web.Request) -> web.StreamResponse:
    """Show what a file would do, cell by cell where it cannot be."""
    try:
        found = await uploads.look(request.app[DB], actor_of(request), path_key(request))
    except Invalid as refused:
        return await _page(request, EMPTY, refused)
    return await records_page(request, "look.html", status=422 if found.faults else 200, look=found)


async def confirm(request: web.Request) -> web.StreamResponse:
    """Bring the file in."""
    key, typed = path_key(request), await read_form(request)
    await uploads.apply(request.app[DB], actor_of(request), key, typed.get("digest"))
    raise web.HTTPSeeOther(f"/records/import/{key}")

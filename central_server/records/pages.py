"""What the pages of the records share: an address' number, a form made of fields, a day."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from central_server.billing.period import local_day
from central_server.clock import now_ms
from central_server.dashboard.page import page, show_for
from central_server.errors import NotFound
from central_server.form import Invalid, Typed
from central_server.records import words

Option = tuple[Any, str]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form; ``kind`` names a macro or an input's type, ``label`` and ``help`` are msgids."""

    name: str
    label: str
    kind: str = "text"
    help: str = ""
    is_required: bool = True
    options: Sequence[Option] = ()
    blank: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """A page with one form; ``crumbs`` are addresses and names, ``button`` says what happens."""

    title: str
    button: str
    crumbs: Sequence[tuple[str, str]]
    fields: Sequence[Field]
    note: str = ""


async def form_page(request: web.Request, form: Form, typed: Typed, refused: Invalid | None = None) -> web.Response:
    """Show a form, with what is wrong beside each field."""
    status, problems = (422, refused.problems) if refused else (200, {})
    return await page(
        request, "records/form.html", show_for(request), status, form=form, typed=typed, problems=problems
    )


def path_key(request: web.Request, name: str = "id") -> int:
    """Read the number in an address. Raises: NotFound."""
    text = request.match_info[name]
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise NotFound("not_found", "There is nothing at this address.")
    return int(text)


def query_key(request: web.Request, name: str) -> int | None:
    """Read a number among the filters; anything else filters nothing."""
    text = request.query.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None


def today(zone: str) -> str:
    """Give the day it is in a zone."""
    return local_day(now_ms(), ZoneInfo(zone)).isoformat()


def options(request: web.Request, table: dict[str, str]) -> list[Option]:
    """Give a table of words as the options of a field."""
    gettext = show_for(request).language.gettext
    return [(key, gettext(text)) for key, text in table.items()]


def typed_of(**values: object) -> Typed:
    """Give a row as its form would have sent it."""
    return Typed({name: "" if value is None else str(value) for name, value in values.items()})


async def records_page(
    request: web.Request, template: str, zone: str | None = None, status: int = 200, **context: Any
) -> web.Response:
    """Render a page of the records with their words."""
    return await page(request, f"records/{template}", show_for(request, zone), status, record_words=words, **context)

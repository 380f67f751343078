"""Pages of a list, named in the address."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from central_server.errors import BadRequest

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Paged(Generic[Item]):
    """Some of ``total`` items; ``first`` and ``last`` count from 1."""

    items: Sequence[Item]
    total: int
    page: int
    pages: int
    first: int
    last: int


def page_number(text: str) -> int:
    """Read a page's number. Raises: BadRequest."""
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or int(text) < 1:
        raise BadRequest("bad_page", "There is no such page.")
    return int(text)


def cut(items: Sequence[Item], page: int, size: int) -> Paged[Item]:
    """Cut one page out of a whole list; a page beyond the end is the last one."""
    last_page = max(1, -(-len(items) // size))
    page = min(page, last_page)
    shown = items[(page - 1) * size : page * size]
    return fit(shown, len(items), page, size)


def fit(shown: Sequence[Item], total: int, page: int, size: int) -> Paged[Item]:
    """Describe a page that the database cut."""
    first = (page - 1) * size + 1 if shown else 0
    return Paged(shown, total, page, max(1, -(-total // size)), first, first + len(shown) - 1 if shown else 0)

"""Lists as CSV files: row by row, readable by spreadsheets, and harmless to them."""

import csv
import io
from collections.abc import Sequence

from aiohttp import web

# Tells spreadsheets that the text is UTF-8.
_MARK = "\ufeff"


async def begin(request: web.Request, name: str, head: Sequence[str]) -> web.StreamResponse:
    """Begin a file of this name with the names of its columns."""
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{_plain(name)}"',
        }
    )
    await response.prepare(request)
    await response.write(_MARK.encode() + rows([head]))
    return response


def rows(lines: Sequence[Sequence[str]]) -> bytes:
    """Write lines as they stand in the file."""
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()


def harmless(text: str) -> str:
    """Keep a spreadsheet from running a text as a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n", "|")) else text


def _plain(name: str) -> str:
    return "".join(char if char.isascii() and (char.isalnum() or char in "-_.") else "_" for char in name)

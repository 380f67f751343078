"""Errors that reach a person: a key for programs, a text for people, a status for HTTP.

CentralError
+-- BadRequest 400   +-- NotSignedIn 401   +-- Forbidden 403   +-- NotFound 404
+-- Conflict 409     +-- TooLarge 413      +-- TooMany 429     +-- Busy 503
+-- UsageError       wrong settings or arguments; the commands end with 2
"""

from collections.abc import Mapping
from typing import Any


class CentralError(Exception):
    """Something a person did or met; ``text`` is an English msgid with ``{name}`` fields."""

    status: int = 500
    retry_after_s: int | None = None

    def __init__(self, key: str, text: str, **fields: Any) -> None:
        super().__init__(text.format(**fields))
        self.key = key
        self.text = text
        self.fields: Mapping[str, Any] = fields


class BadRequest(CentralError):
    status = 400


class NotSignedIn(CentralError):
    status = 401


class Forbidden(CentralError):
    status = 403


class NotFound(CentralError):
    status = 404


class Conflict(CentralError):
    status = 409


class TooLarge(CentralError):
    status = 413


class TooMany(CentralError):
    """Too many attempts; ``retry_after_s`` says how long to wait."""

    status = 429
    retry_after_s: int

    def __init__(self, key: str, text: str, retry_after_s: int, **fields: Any) -> None:
        super().__init__(key, text, retry_after_s=retry_after_s, **fields)
        self.retry_after_s = retry_after_s


class Busy(CentralError):
    """The centre cannot do it now; ``retry_after_s`` says when to ask again."""

    status = 503

    def __init__(self, key: str, text: str, retry_after_s: int = 5, **fields: Any) -> None:
        super().__init__(key, text, retry_after_s=retry_after_s, **fields)
        self.retry_after_s = retry_after_s


class UsageError(CentralError):
    """Wrong settings, arguments or a file that cannot be used."""

    status = 400

"""A notice's states and what the office writes.

A draft is published once; published, it is in force until it expires or is withdrawn.
"""

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, StringConstraints

MOST_LETTERS = 5_000


class State(StrEnum):
    DRAFT = "draft"
    PUBLISHED = "published"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


def state_of(published_at: int | None, withdrawn_at: int | None, expires_at: int | None, now: int) -> State:
    """Give a notice's state at an instant. Units: ms since the epoch."""
    if withdrawn_at is not None:
        return State.WITHDRAWN
    if published_at is None:
        return State.DRAFT
    return State.EXPIRED if expires_at is not None and expires_at <= now else State.PUBLISHED


def end_of(day: date, zone: str) -> int:
    """Give the first instant after a site's day. Units: ms since the epoch."""
    after = day + timedelta(days=1)
    return round(datetime(after.year, after.month, after.day, tzinfo=ZoneInfo(zone)).timestamp() * 1000)


class Draft(BaseModel):
    """A notice as the office writes it; no buildings: the whole site."""

    site: int | None = None
    title: Annotated[str, StringConstraints(min_length=2, max_length=120)]
    body: Annotated[str, StringConstraints(min_length=2, max_length=MOST_LETTERS)]
    buildings: list[int] = []
    is_emergency: bool = False
    last_day: date | None = None
    version: int = 0


class Seen(BaseModel):
    """The version of a notice that somebody looked at when they decided."""

    version: int

"""What people type about doors: cards, groups, schedules, and how a door is worked."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints, model_validator

from central_server.access.decisions import plain_number
from central_server.access.model import Basis
from central_server.form import FieldError, Invalid, Problem, Typed
from protocols.access import MINUTES_A_DAY, Window
from protocols.errors import ProtocolError
from protocols.wiegand import decode_card, encode_card

WINDOWS = 3  # of one schedule
_NAME = Annotated[str, StringConstraints(min_length=1, max_length=64)]
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)|24:00")
_ALWAYS = "always"


class NewCard(BaseModel):
    """A card to be given to somebody: by its printed numbers, or by its raw bits as a reader sends them."""

    site_id: int
    person: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    basis: Basis = Basis.RESIDENCY
    bits: Annotated[int, Field(ge=1, le=64)] = 26
    number: Annotated[str, StringConstraints(max_length=32)] = ""
    facility: Annotated[int, Field(ge=0)] | None = None
    card: Annotated[int, Field(ge=0)] | None = None
    from_on: date | None = None
    to_on: date | None = None

    @model_validator(mode="after")
    def _fits(self) -> "NewCard":
        if self.from_on and self.to_on and self.to_on <= self.from_on:
            raise FieldError("The last day must be after the first.")
        return self

    def raw(self) -> str:
        """Give the card's bits in hex. Raises: Invalid."""
        if self.number:
            return self._raw_number()
        if self.facility is None or self.card is None:
            raise Invalid({"number": Problem("Write what the reader sent, or both printed numbers.")})
        try:
            return f"{encode_card(self.bits, self.facility, self.card):x}"
        except ValueError:
            misfit = "These numbers do not fit a card of {bits} bits."
            raise Invalid({"card": Problem(misfit, {"bits": self.bits})}) from None

    def _raw_number(self) -> str:
        number = plain_number(self.number)
        if number is None:
            raise Invalid({"number": Problem("Write the digits 0 to 9 and the letters a to f.")})
        try:
            decode_card(self.bits, int(number, 16))
        except ProtocolError:
            no_card = "This is no card of {bits} bits: too long, or a check bit is wrong."
            raise Invalid({"number": Problem(no_card, {"bits": self.bits})}) from None
        return number


class DoorForm(BaseModel):
    """How a door is worked, and where it is."""

    building_id: int | None = None
    pulse_ms: Annotated[int, Field(ge=100, le=60_000)]
    held_open_s: Annotated[int, Field(ge=1, le=86_400)]


class TrustForm(BaseModel):
    """For how many hours cards of each basis open with the centre away, 0 for ever."""

    residency: Annotated[int, Field(ge=0, le=8760)]
    dates: Annotated[int, Field(ge=0, le=8760)]


class GroupForm(BaseModel):
    """Doors that are given together."""

    site_id: int
    name: _NAME
    doors: list[int] = []


class ScheduleName(BaseModel):
    """A schedule's name; its windows and holidays are read beside it."""

    site_id: int
    name: _NAME


def read_grants(typed: Typed) -> dict[int, int | None]:
    """Read which groups a card opens and when, None for always; a group left at "not" is left out."""
    found: dict[int, int | None] = {}
    for name, value in typed.values.items():
        group = name.removeprefix("group-")
        if group == name or not value or not _is_key(group):
            continue
        if value != _ALWAYS and not _is_key(value):
            raise Invalid({name: Problem("Choose one of the list.")})
        found[int(group)] = None if value == _ALWAYS else int(value)
    return found


def _is_key(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 15


def read_windows(typed: Typed) -> tuple[Window, ...]:
    """Read up to three windows: days, from, to; a row without any day is none. Raises: Invalid."""
    problems: dict[str, Problem] = {}
    found = []
    for row in range(1, WINDOWS + 1):
        days = frozenset(int(day) for day in typed.lists.get(f"days-{row}", []) if day in "0123456" and len(day) == 1)
        if not days:
            continue
        times = {name: _minute(typed.get(f"{name}-{row}")) for name in ("from", "to")}
        problems |= {
            f"{name}-{row}": Problem("Write a time, such as 09:00.") for name, minute in times.items() if minute is None
        }
        if times["from"] is not None and times["to"] is not None:
            found.append(Window(days, times["from"] % MINUTES_A_DAY, times["to"]))
    if not found and not problems:
        problems["days-1"] = Problem("Choose at least one day.")
    if problems:
        raise Invalid(problems)
    return tuple(found)


def _minute(text: str) -> int | None:
    if not _CLOCK.fullmatch(text):
        return None
    hours, _, minutes = text.partition(":")
    return 60 * int(hours) + int(minutes)


def read_holidays(typed: Typed) -> list[str]:
    """Read days, one a line. Raises: Invalid naming the first that is none."""
    found: set[str] = set()
    for line in typed.get("holidays").split():
        try:
            found.add(date.fromisoformat(line).isoformat())
        except ValueError:
            text = "'{line}' is no day such as 2026-10-01."
            raise Invalid({"holidays": Problem(text, {"line": line[:20]})}) from None
    return sorted(found)


def typed_windows(windows: tuple[Window, ...], holidays: frozenset[str]) -> Mapping[str, list[str]]:
    """Write windows and holidays as the form has them."""
    lists: dict[str, list[str]] = {"holidays": ["\n".join(sorted(holidays))]}
    for row, window in enumerate(windows[:WINDOWS], start=1):
        lists[f"days-{row}"] = [str(day) for day in sorted(window.days)]
        lists[f"from-{row}"] = [clock(window.from_minute)]
        lists[f"to-{row}"] = [clock(window.to_minute)]
    return lists


def clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"

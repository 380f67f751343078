"""What stands on which sheet of the workbook, in which column; the template and the reader both follow this."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from central_server.dashboard.i18n import N_, languages
from central_server.records import words
from central_server.records.model import Building, Equipment, Owner, Tenancy, Unit, Vehicle


@dataclass(frozen=True, slots=True)
class Column:
    """A column; ``key`` is the row's field, ``choices`` the words that may stand in it."""

    key: str
    title: str
    is_required: bool = False
    width: int = 14
    choices: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet; ``table`` names its rows as a records file does."""

    table: str
    title: str
    model: type[BaseModel]
    columns: tuple[Column, ...]


_SITE = Column("site", N_("Site code"), True)
_BUILDING = Column("building", N_("Building code"), True)
_TENANTS = {key: text for key, text in words.BELONGINGS.items() if key != "owner"}

SHEETS = (
    Sheet("building", N_("Buildings"), Building, (_SITE, Column("code", N_("Building code"), True), Column("name", N_("Name"), True, 24))),
    Sheet("owner", N_("Persons"), Owner, (
        Column("code", N_("Person number"), True),
        Column("name", N_("Name"), True, 20),
        Column("phone", N_("Phone"), width=18),
        Column("id_number", N_("Identity number"), width=24),
    )),
    Sheet("unit", N_("Units"), Unit, (
        _SITE,
        _BUILDING,
        Column("code", N_("Unit"), True),
        Column("area_m2", N_("Area m²")),
        Column("owner", N_("Owner's number"), width=18),
        Column("owned_from", N_("Owned since"), width=16),
    )),
    Sheet("tenancy", N_("Residents"), Tenancy, (
        _SITE,
        _BUILDING,
        Column("unit", N_("Unit"), True),
        Column("person", N_("Person number"), True),
        Column("kind", N_("As"), choices=_TENANTS),
        Column("from_on", N_("From"), True),
        Column("to_on", N_("Until"), width=16),
    )),
    Sheet("vehicle", N_("Vehicles"), Vehicle, (
        Column("plate", N_("Number plate"), True),
        Column("person", N_("Person number"), True),
        Column("kind", N_("Kind"), choices=words.VEHICLES, width=18),
        Column("site", N_("Site code")),
        Column("building", N_("Building code")),
        Column("unit", N_("Unit")),
    )),
    Sheet("equipment", N_("Equipment"), Equipment, (
        _SITE,
        Column("code", N_("Code"), True),
        Column("name", N_("Name"), True, 24),
        Column("kind", N_("Kind"), choices=words.EQUIPMENT, width=18),
        Column("building", N_("Building code")),
        Column("place", N_("Place"), width=28),
        Column("installed_on", N_("Installed on")),
    )),
)  # fmt: skip
GUIDE = N_("Read me")
RULES = (
    N_(
        "One row is one thing. Rows are known by their codes: bring the same file in twice and the second time changes nothing."
    ),
    N_("An empty cell leaves what the records have; nothing is ever deleted by a file."),
    N_("Sites stand in the records already. Buildings, people and units may stand in this file or in the records."),
    N_("Days are written as 2026-11-23. 'Until' is the first day without; a new owner ends the ownership before."),
    N_("Write values, not formulas. Do not rename the sheets or the columns; leave out those you do not need."),
    N_("Nothing changes until you have seen what would and have confirmed it. All rows are taken, or none."),
)


def spellings(text: str) -> set[str]:
    """Give a text in every language, as it may stand in a file."""
    return {folded(text)} | {folded(language.gettext(text)) for language in languages().values()}


def in_every_language(text: str) -> str:
    """Name something as it may stand in a file, in each language."""
    return " / ".join(dict.fromkeys(language.gettext(text) for language in languages().values()))


def folded(text: str) -> str:
    """Leave out what does not count when titles are compared."""
    return "".join(text.split()).casefold().rstrip("*")

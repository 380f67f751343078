"""A records file: what a property company knows of a site, as TOML.

[[site]]            code, name, zone
[[building]]        site, code, name
[[owner]]           code, name, phone, id_number: everybody the records know, tenants too
[[unit]]            site, building, code, area_m2, owner, owned_from
[[tenancy]]         site, building, unit, person, kind, from_on, to_on
[[vehicle]]         plate, person, site, building, unit, kind
[[equipment]]       site, building, code, name, kind, place, installed_on
[[metering_point]]  code, site, building, unit, kind, tariff
[[installation]]    metering_point, gateway, device, point, multiplier, from, to, initial
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from central_server.form import FieldError
from central_server.records.personal import IdNumber, Name, Phone, Plate
from central_server.records.refusal import Refusal, english
from protocols.quantity import to_scaled
from protocols.sync import is_edge_id
from protocols.toml import Document, Fault, SettingsError, faults, parse


def _exact(value: object) -> object:
    if isinstance(value, float):
        raise ValueError(f'{value} is a binary fraction and not exact; write it in quotes: "{value}"')
    return value


def _kept(value: Decimal) -> Decimal:
    to_scaled(value)  # raises where the database has no room for so many digits
    return value


def is_zone(text: str) -> bool:
    """Tell whether a text names a time zone."""
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _zone(text: str) -> str:
    if not is_zone(text):
        raise ValueError(f"'{text}' is not a time zone; write one such as Asia/Shanghai")
    return text


def _gateway(text: str) -> str:
    if not is_edge_id(text):
        raise ValueError(f"'{text}' cannot name a gateway: small letters, digits and dashes, 32 at most")
    return text


def _instant(value: object) -> object:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    raise ValueError("an instant is written with its offset, such as 2026-11-01T00:00:00+08:00")


Code = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^\S(.*\S)?$")]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Instant = Annotated[datetime, BeforeValidator(_instant)]
Register = Annotated[Decimal, BeforeValidator(_exact), AfterValidator(_kept), Field(ge=0)]
Number = Annotated[Decimal, BeforeValidator(_exact), AfterValidator(_kept), Field(ge=0, max_digits=12)]
VehicleKind = Literal["car", "electric_car", "motorcycle", "electric_bicycle", "other"]
EquipmentKind = Literal[
    "lift", "door", "pump", "fire", "lighting", "electrical", "ventilation", "camera", "meter", "gate", "other"
]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Site(_Table):
    code: Code
    name: Text
    zone: Annotated[str, AfterValidator(_zone)] = "Asia/Shanghai"


class Building(_Table):
    site: Code
    code: Code
    name: Text


class Owner(_Table):
    code: Code
    name: Name
    phone: Phone | None = None
    id_number: IdNumber | None = None


class Unit(_Table):
    site: Code
    building: Code
    code: Code
    area_m2: Number | None = None
    owner: Code | None = None
    owned_from: date | None = None


class Tenancy(_Table):
    site: Code
    building: Code
    unit: Code
    person: Code
    kind: Literal["tenant", "occupant"] = "tenant"
    from_on: date
    to_on: date | None = None


class Vehicle(_Table):
    plate: Plate
    person: Code
    kind: VehicleKind = "car"
    site: Code | None = None
    building: Code | None = None
    unit: Code | None = None

    @model_validator(mode="after")
    def _whole_place(self) -> Self:
        if len({self.site is None, self.building is None, self.unit is None}) > 1:
            raise FieldError("Site, building and unit are written together or not at all.")
        return self


class Equipment(_Table):
    site: Code
    code: Code
    name: Text
    kind: EquipmentKind = "other"
    building: Code | None = None
    place: Annotated[str, Field(max_length=200)] = ""
    installed_on: date | None = None


class MeteringPoint(_Table):
    code: Code
    site: Code
    building: Code
    unit: Code
    kind: Literal["electricity", "water"]
    tariff: Code


class Installation(_Table):
    metering_point: Code
    gateway: Annotated[str, AfterValidator(_gateway)]
    device: Code
    point: Code
    multiplier: Annotated[Number, Field(gt=0)] = Decimal(1)
    from_: Instant = Field(alias="from")
    to: Instant | None = None
    initial: Register | None = None


class Records(_Table):
    """Everything in a records file or a workbook, in the order in which it can be stored."""

    site: tuple[Site, ...] = ()
    building: tuple[Building, ...] = ()
    owner: tuple[Owner, ...] = ()
    unit: tuple[Unit, ...] = ()
    tenancy: tuple[Tenancy, ...] = ()
    vehicle: tuple[Vehicle, ...] = ()
    equipment: tuple[Equipment, ...] = ()
    metering_point: tuple[MeteringPoint, ...] = ()
    installation: tuple[Installation, ...] = ()


TABLES: dict[str, type[_Table]] = {
    "site": Site,
    "building": Building,
    "owner": Owner,
    "unit": Unit,
    "tenancy": Tenancy,
    "vehicle": Vehicle,
    "equipment": Equipment,
    "metering_point": MeteringPoint,
    "installation": Installation,
}
_KNOWN = {"": list(TABLES)} | {
    name: [field.alias or key for key, field in table.model_fields.items()] for name, table in TABLES.items()
}


@dataclass(frozen=True, slots=True)
class RecordsFile:
    """A checked file and the lines of its rows."""

    document: Document
    records: Records
    faults: tuple[Fault, ...] = ()  # a file of this kind is read whole or not at all
    broken: tuple[tuple[str, tuple[Any, ...]], ...] = ()

    def place(self, refusal: Refusal) -> Fault:
        """Say on which line a refused row's fault stands."""
        loc = (refusal.table, refusal.index, refusal.key)
        return self.document.fault(loc, english(refusal.problem), english(refusal.remedy))


def read_records(text: str, file: str) -> RecordsFile:
    """Check the text of a records file as far as it can be checked without the database.

    Raises: SettingsError with every fault found.
    """
    document = parse(text, file)
    try:
        records = Records.model_validate(document.data)
    except ValidationError as error:
        raise SettingsError(faults(document, error.errors(), _KNOWN)) from None
    found = RecordsFile(document, records)
    if doubled := list(_doubled(found)):
        raise SettingsError(doubled)
    return found


def row_key(row: Any) -> tuple[Any, ...]:
    """Give what makes a row itself; importing it again changes the rest."""
    match row:
        case Building() | Equipment():
            return row.site, row.code
        case Unit():
            return row.site, row.building, row.code
        case Tenancy():
            return row.site, row.building, row.unit, row.person, row.from_on
        case Vehicle():
            return (row.plate,)
        case Installation():
            return (row.metering_point, row.from_)
        case _:
            return (row.code,)


def _doubled(found: RecordsFile) -> Iterator[Fault]:
    for table in TABLES:
        seen: dict[tuple[Any, ...], int] = {}
        for index, row in enumerate(getattr(found.records, table)):
            key = row_key(row)
            if key in seen:
                line = found.document.line((table, seen[key]))
                yield found.document.fault(
                    (table, index), f"the same {table} stands on line {line}", "Remove one of them."
                )
            seen.setdefault(key, index)

"""What people type into the forms of the records."""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator

from central_server.form import FieldError
from central_server.records.model import Code, EquipmentKind, Number, Text, VehicleKind, is_zone
from central_server.records.personal import IdNumber, Name, Phone, Plate


def _zone(text: str) -> str:
    if not is_zone(text):
        raise FieldError("This is no time zone; write one such as Asia/Shanghai.")
    return text


def _day(day: date) -> date:
    if not 1900 <= day.year <= 2200:
        raise FieldError("Write a day between 1900 and 2200.")
    return day


Day = Annotated[date, AfterValidator(_day)]


class SiteForm(BaseModel):
    code: Code
    name: Text
    zone: Annotated[str, AfterValidator(_zone)]


class BuildingForm(BaseModel):
    site: int | None = None
    code: Code
    name: Text


class UnitForm(BaseModel):
    building: int | None = None
    code: Code
    area_m2: Number | None = None


class PersonForm(BaseModel):
    """A person; without a number the next one is given."""

    code: Code | None = None
    name: Name
    phone: Phone | None = None
    id_number: IdNumber | None = None


class MoveIn(BaseModel):
    """Somebody comes to own a unit or to live in it; ``to_on`` is the first day without."""

    person: str
    kind: Literal["owner", "tenant", "occupant"]
    from_on: Day
    to_on: Day | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.to_on is not None and self.to_on <= self.from_on:
            raise FieldError("It ends before it begins.")
        return self


class MoveOut(BaseModel):
    to_on: Day


class VehicleForm(BaseModel):
    plate: Plate
    kind: VehicleKind
    unit: int | None = None


class EquipmentForm(BaseModel):
    site: int | None = None
    building: int | None = None
    code: Code
    name: Text
    kind: EquipmentKind
    place: Annotated[str, Field(max_length=200)] = ""
    installed_on: Day | None = None
    is_retired: bool = False


class Reason(BaseModel):
    """Why somebody wants to see what is masked."""

    reason: Annotated[str, Field(min_length=4, max_length=200)]

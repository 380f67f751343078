"""What the office writes down: checkpoints, items, routes, plans; checked field by field."""

from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints, field_validator, model_validator

from central_server.form import FieldError
from central_server.inspection.model import Kind
from central_server.inspection.window import WindowError, parse_windows

Code = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=120)]
Limit = Annotated[Decimal, Field(ge=-(10**9), le=10**9, decimal_places=6)]


class PointEntry(BaseModel):
    """A checkpoint as it is written down; ``site`` only where there are several."""

    site: int | None = None
    code: Code
    name: Name
    place: Annotated[str, StringConstraints(max_length=200)] = ""
    building: int | None = None
    equipment: int | None = None


class ItemEntry(BaseModel):
    """A check item as it is written down."""

    kind: Kind
    title: Name
    unit: Annotated[str, StringConstraints(max_length=16)] = ""
    low: Limit | None = None
    high: Limit | None = None
    meter: Annotated[str, StringConstraints(max_length=64)] = ""
    required: bool = False

    @field_validator("high")
    @classmethod
    def _above_low(cls, high: Decimal | None, info: object) -> Decimal | None:
        low = getattr(info, "data", {}).get("low")
        if high is not None and low is not None and high < low:
            raise FieldError("This is below the lower limit.")
        return high

    @model_validator(mode="after")
    def _only_what_belongs(self) -> "ItemEntry":
        if self.kind is not Kind.NUMBER:
            self.low = self.high = None
        if self.kind not in (Kind.NUMBER, Kind.METER):
            self.unit = ""
        if self.kind is not Kind.METER:
            self.meter = ""
        return self


class RouteEntry(BaseModel):
    """A route as it is written down; which points it has stands in fields of their own."""

    site: int | None = None
    name: Name


class PlanEntry(BaseModel):
    """A plan as it is written down."""

    route: int
    name: Name
    every_days: Annotated[int, Field(ge=1, le=366)] = 1
    from_on: date
    windows: Annotated[str, StringConstraints(max_length=600)]
    statutory: bool = False
    inspector: int | None = None

    @field_validator("windows")
    @classmethod
    def _written_well(cls, text: str) -> str:
        try:
            return "\n".join(str(window) for window in parse_windows(text))
        except WindowError as error:
            raise FieldError(error.text, **error.fields) from None


class Excuse(BaseModel):
    """Why a round need not be made."""

    reason: Annotated[str, StringConstraints(min_length=4, max_length=500)]

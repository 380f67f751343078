"""Forms: what was typed stays, and what is wrong is said at its field."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

import pytest
from pydantic import AfterValidator, BaseModel, Field

from central_server.form import FieldError, Invalid, Typed, parse


def _even(value: int) -> int:
    if value % 2:
        raise FieldError("{number} is odd.", number=value)
    return value


class Order(BaseModel):
    title: Annotated[str, Field(min_length=2, max_length=5)]
    kind: Literal["water", "power"]
    pieces: Annotated[int, AfterValidator(_even)]
    price: Annotated[Decimal, Field(ge=0)] | None = None
    on: date | None = None
    places: list[int] = []


def typed(**values: str) -> Typed:
    return Typed(values, {name: [value] for name, value in values.items()})


def test_what_fits_is_taken_and_what_is_empty_counts_as_not_given() -> None:
    form = Typed(
        {"title": "tap", "kind": "water", "pieces": "2", "price": "", "places": "4"}, {"places": ["3", "", "4"]}
    )
    assert parse(Order, form) == Order(title="tap", kind="water", pieces=2, places=[3, 4])


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("title", "", "Fill this in."),
        ("title", "x", "Write at least {min_length} characters."),
        ("title", "too long", "Write at most {max_length} characters."),
        ("kind", "gas", "Choose one of the list."),
        ("pieces", "two", "Write a whole number."),
        ("pieces", "3", "{number} is odd."),
        ("price", "-1", "Write a number of at least {ge}."),
        ("price", "1,5", "Write a number, such as 12.50."),
        ("on", "31.12.2026", "Write a day, such as 2026-11-23."),
    ],
)
def test_each_fault_is_said_at_its_own_field(field: str, value: str, text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(Order, typed(**{"title": "tap", "kind": "water", "pieces": "2", field: value}))
    assert {name: problem.text for name, problem in caught.value.problems.items()} == {field: text}
    problem = caught.value.problems[field]
    assert "{" not in problem.text.format(**problem.fields)


def test_all_faults_are_said_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        parse(Order, typed(pieces="x"))
    assert set(caught.value.problems) == {"title", "kind", "pieces"}
    assert caught.value.status == 422

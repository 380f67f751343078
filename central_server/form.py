"""Forms: what was typed, what is wrong with it, field by field, and nothing of it lost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from central_server.errors import CentralError


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a field; ``text`` is an English msgid with ``{name}`` fields."""

    text: str
    fields: Mapping[str, Any] = field(default_factory=dict)


class Invalid(CentralError):
    """A form that cannot be taken as it is; ``problems`` by field, "" for the form as a whole."""

    status = 422

    def __init__(self, problems: Mapping[str, Problem]) -> None:
        super().__init__("invalid", "Some fields need another look.")
        self.problems = dict(problems)


@dataclass(frozen=True, slots=True)
class Typed:
    """A form as it was sent, blanks at both ends of a value left out."""

    values: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, list[str]] = field(default_factory=dict)
    files: Mapping[str, list[web.FileField]] = field(default_factory=dict)

    def get(self, name: str, default: str = "") -> str:
        return self.values.get(name, default)


EMPTY = Typed()
M = TypeVar("M", bound=BaseModel)


async def read_form(request: web.Request) -> Typed:
    """Take a form apart; files that were not chosen are left out."""
    lists: dict[str, list[str]] = {}
    files: dict[str, list[web.FileField]] = {}
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            if value.filename:
                files.setdefault(name, []).append(value)
        else:
            text = value if isinstance(value, str) else bytes(value).decode("utf-8", "replace")
            lists.setdefault(name, []).append(text.replace("\r\n", "\n").strip())
    return Typed({name: found[-1] for name, found in lists.items()}, lists, files)


def parse(model: type[M], typed: Typed) -> M:
    """Check a form against a model; what was left empty counts as not given.

    Shape: a model's list fields take every value of their name.
    Raises: Invalid with a problem beside each field that has one.
    """
    given: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        key = info.alias or name
        if _is_list(info.annotation):
            given[key] = [each for each in typed.lists.get(key, []) if each]
        elif typed.get(key):
            given[key] = typed.get(key)
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise Invalid(
            {str(each["loc"][0]) if each["loc"] else "": _problem(dict(each)) for each in error.errors()}
        ) from None


def _is_list(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) in (list, tuple, set, frozenset)


_TEXTS = {
    "missing": "Fill this in.",
    "string_too_short": "Write at least {min_length} characters.",
    "string_too_long": "Write at most {max_length} characters.",
    "too_short": "Choose at least {min_length}.",
    "too_long": "Choose at most {max_length}.",
    "string_pattern_mismatch": "This is not written as it should be.",
    "greater_than": "Write a number above {gt}.",
    "greater_than_equal": "Write a number of at least {ge}.",
    "less_than": "Write a number below {lt}.",
    "less_than_equal": "Write a number of at most {le}.",
    "enum": "Choose one of the list.",
    "literal_error": "Choose one of the list.",
    "decimal_max_places": "Write at most {decimal_places} decimal places.",
}
# By how the kind of a fault begins: each type has several names for "this is none".
_KINDS = {
    "int_": "Write a whole number.",
    "decimal_": "Write a number, such as 12.50.",
    "date_": "Write a day, such as 2026-11-23.",
    "datetime_": "Write a day and a time, such as 2026-11-23 09:00.",
    "time_": "Write a time, such as 09:00.",
    "bool_": "Choose yes or no.",
}


def _problem(error: Mapping[str, Any]) -> Problem:
    context = dict(error.get("ctx", {}))
    kind = str(error["type"])
    raised = context.get("error")
    if isinstance(raised, FieldError):
        return raised.problem
    if text := _TEXTS.get(kind):
        return Problem(text, {name: value for name, value in context.items() if name != "error"})
    return Problem(next((text for start, text in _KINDS.items() if kind.startswith(start)), "This cannot be used."))


class FieldError(ValueError):
    """What a model's own validator raises to say more than that a value is wrong."""

    def __init__(self, text: str, **fields: Any) -> None:
        super().__init__(text)
        self.problem = Problem(text, fields)

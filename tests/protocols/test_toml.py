"""A fault in a settings file names the line an engineer has to mend."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from protocols.toml import SettingsError, faults, parse

TEXT = """\
title = "plant room"   # [not a table]
limits = [
  1,
  2,
]

[edge]
id = "gw-1"
note = '''
id = "not a key"
'''

[[bus]]
id = "line-1"
options = { baud = 2400 }

[[bus]]
id = "line-2"

  [[bus.filter]]
  name = "a"

  [[bus.filter]]
  name = "b"
"""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Serial(Strict):
    kind: Literal["serial"]
    baudrate: int


class Tcp(Strict):
    kind: Literal["tcp"]
    port: int = Field(ge=1)


class Settings(Strict):
    name: str = ""
    bus: list[Annotated[Serial | Tcp, Field(discriminator="kind")]] = []


def found(text: str, known: dict[str, list[str]] | None = None) -> list[str]:
    document = parse(text, "edge.toml")
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(document.data)
    return [str(fault) for fault in faults(document, caught.value.errors(), known)]


@pytest.mark.parametrize(
    ("loc", "line"),
    [
        (("title",), 1),
        (("limits",), 2),
        (("limits", 1), 2),
        (("edge",), 7),
        (("edge", "id"), 8),
        (("bus", 0), 13),
        (("bus", 0, "options", "baud"), 15),
        (("bus", 1, "id"), 18),
        (("bus", 1, "filter", 1, "name"), 24),
        (("bus", 1, "missing"), 17),
        (("nothing",), 0),
    ],
)
def test_each_key_has_the_line_it_stands_on_or_that_of_its_table(loc: tuple[str | int, ...], line: int) -> None:
    assert parse(TEXT, "a.toml").line(loc) == line


def test_a_misspelt_key_is_met_with_the_nearest_one() -> None:
    assert found('nmae = "x"\n', {"": ["name", "bus"]}) == [
        "edge.toml:1: nmae: unknown key 'nmae'. Did you mean 'name'?"
    ]


def test_an_unknown_key_without_a_neighbour_is_to_be_removed() -> None:
    assert found("zzz = 1\n", {"": ["name"]}) == ["edge.toml:1: zzz: unknown key 'zzz'. Remove it or correct its name."]


def test_a_missing_key_is_placed_at_its_table_without_the_validators_own_tags() -> None:
    assert found('\n\n[[bus]]\nkind = "serial"\n') == [
        "edge.toml:3: bus[1].baudrate: the key 'baudrate' is missing. Add it."
    ]


def test_a_wrong_choice_names_the_right_ones() -> None:
    assert found('[[bus]]\nkind = "rs485"\n') == [
        "edge.toml:2: bus[1].kind: 'rs485' is not a choice here. Choose one of 'serial', 'tcp'."
    ]
    assert found("[[bus]]\nport = 5\n") == ["edge.toml:1: bus[1]: the key 'kind' is missing. Add it."]


def test_a_value_of_the_wrong_kind_is_shown() -> None:
    (fault,) = found("name = 7\n")
    assert fault.startswith("edge.toml:1: name: ")
    assert "7" in fault


def test_a_syntax_error_names_its_line_and_nothing_is_read() -> None:
    with pytest.raises(SettingsError) as caught:
        parse('a = 1\nb = "open\n', "edge.toml")
    assert str(caught.value).startswith("edge.toml:2: not valid TOML")
    with pytest.raises(SettingsError, match=r"edge\.toml:3: not valid TOML"):
        parse("a = 1\n\nb = [1,", "edge.toml")

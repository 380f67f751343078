"""What the linter says of a profile of an OSDP door."""

from pathlib import Path

import pytest

from drivers.errors import ProfileError
from drivers.profile import load_profile, parse_profile
from drivers.profile.osdp import Link, Source

TEXT = Path(load_profile("access/generic-osdp").file).read_text()


def wrong(old: str, new: str) -> str:
    assert old in TEXT
    with pytest.raises(ProfileError) as caught:
        parse_profile(TEXT.replace(old, new, 1), "access/x", "x.toml")
    return str(caught.value)


def test_the_templates_are_right() -> None:
    door = load_profile("access/generic-osdp")
    assert door.link == Link(relay=0, led=0, buzzer=0, reader=0)
    assert door.point("exitButton").source == Source("input", 1)
    assert load_profile("access/generic-osdp-reader").link == door.link


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('kind = "door"', 'kind = "io"', "a device of kind 'io' has no [relay]"),
        ('report = "input"\nnumber = 0', 'report = "input"', "the report 'input' needs its 'number'"),
        ('report = "tamper"', 'report = "tamper"\nnumber = 1', "the report 'tamper' has no 'number'"),
        ("number = 1", "number = 0", "this is 'doorState' already"),
        ('{ 0 = "closed", 1 = "open" }', '{ 0 = "closed" }', "a contact has the states 0 and 1"),
        ('1 = "open" }', '1 = "open" }\nwrite = {}', "an OSDP output is not written as a point"),
        ("led = 0", "lamp = 0", "osdp.lamp"),
    ],
)
def test_each_fault_is_told(old: str, new: str, told: str) -> None:
    assert told in wrong(old, new)

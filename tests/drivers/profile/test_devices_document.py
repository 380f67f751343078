"""The list of devices that people read is the profiles' own."""

import re
from pathlib import Path

import pytest

from drivers.profile import load_profile, parse_profile, profile_names
from scripts.devices import DOCUMENT, document, lost_sources

TEXT = DOCUMENT.read_text(encoding="utf-8")
OWN = """\
title = "A meter | with a bar"
kind = "water"
protocol = "modbus"
sources = ["manual 4711"]
caveats = ["Mind its | step."]
[[point]]
name = "volumeTotal"
address = 0
unit = "m3"
register = true
[[point]]
name = "limit"
address = 1
write = { min = 0, max = 5 }
"""


def test_the_document_is_what_the_profiles_say() -> None:
    profiles = [load_profile(name) for name in profile_names()]
    assert document(TEXT, profiles) == TEXT, "run scripts/devices"
    assert list(lost_sources(profiles)) == []


def test_the_document_names_every_profile_once() -> None:
    assert sorted(re.findall(r"^\| `([a-z0-9]+/[a-z0-9-]+)` \|", TEXT, re.MULTILINE)) == profile_names()


def test_a_row_has_its_cells_and_says_what_can_be_written() -> None:
    row = (
        document(TEXT, [parse_profile(OWN, "water/own", "own.toml")]).partition("| `water/own` ")[2].partition("\n")[0]
    )
    assert row == (
        r"| A meter \| with a bar | modbus | **volumeTotal**, limit | limit | manual 4711 | Mind its \| step. |"
    )


def test_the_words_around_the_tables_are_left_alone() -> None:
    mine = document("Before.\n" + TEXT + "After.\n", [])
    assert mine.startswith("Before.\n# Devices\n")
    assert mine.endswith("-->\nAfter.\n")


def test_a_document_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="a mark is missing"):
        document("# Devices\n", [])


def test_a_source_that_nobody_can_find_is_told_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(OWN.replace("manual 4711", "hearsay"), encoding="utf-8")
    (told,) = lost_sources([parse_profile(path.read_text(encoding="utf-8"), "water/own", str(path))])
    assert told.startswith(f"{path}:4: sources[1]: nobody can find 'hearsay'.")

"""A workbook on the command line goes the same way as a TOML file, with its faults in its cells."""

from pathlib import Path

import pytest

from central_server.dashboard.i18n import languages
from central_server.db import Database
from central_server.records import workbook
from central_server.records.service import import_records
from central_server.records.source import open_source
from protocols.toml import SettingsError

EN = languages()["en"]


async def test_a_workbook_is_imported_and_again_changes_nothing(estate: Database, tmp_path: Path) -> None:
    file = tmp_path / "units.xlsx"
    file.write_bytes(workbook.write(EN, {"unit": [("park", "1", "1-103", "60", "o-2", "2026-11-01")]}))
    dry = await import_records(estate, open_source(file), [], is_dry_run=True)
    first = await import_records(estate, open_source(file), [])
    again = await import_records(estate, open_source(file), [])
    assert dry.tables == first.tables == {"unit": {"added": 1}, "ownership": {"added": 1}}
    assert again.tables == {"unit": {"same": 1}, "ownership": {"same": 1}}


async def test_its_faults_name_file_sheet_and_cell(estate: Database, tmp_path: Path) -> None:
    file = tmp_path / "units.xlsx"
    rows = [("park", "1", "1-103", "wide", None, None), ("park", "7", "7-101", None, None, None)]
    file.write_bytes(workbook.write(EN, {"unit": rows}))
    with pytest.raises(SettingsError) as caught:
        await import_records(estate, open_source(file), [])
    assert [str(fault).removeprefix(str(file)) for fault in caught.value.faults] == [
        ": Units!D2: Write a number, such as 12.50.",
        ": Units!B3: there is no building '7'. Write it into this file or import it first.",
    ]


def test_a_file_that_is_not_there_or_no_workbook_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.xlsx").write_bytes(b"no workbook")
    for name, words in (("none.toml", "No such file"), ("x.xlsx", "This is no workbook")):
        with pytest.raises(SettingsError, match=words):
            open_source(tmp_path / name)

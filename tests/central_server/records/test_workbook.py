"""The workbook: what is written can be read again, and whatever is wrong is told by sheet and cell."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from central_server.dashboard.i18n import languages
from central_server.form import Invalid
from central_server.records import workbook
from central_server.records.cell import harmless
from central_server.records.refusal import english

ZH, EN = languages()["zh"], languages()["en"]


def book(**sheets: Sequence[Sequence[Any]]) -> bytes:
    made = Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        page = made.create_sheet(name)
        for row in rows:
            page.append(list(row))
    body = io.BytesIO()
    made.save(body)
    return body.getvalue()


def told(body: bytes) -> list[str]:
    return [f"{each.sheet}!{each.cell} {english(each.problem)}" for each in workbook.read(body).faults]


@pytest.mark.parametrize("language", [ZH, EN], ids=["zh", "en"])
def test_the_template_can_be_read_and_holds_nothing(language: Any) -> None:
    found = workbook.read(workbook.write(language, {}))
    assert (found.rows, found.faults) == (0, [])
    assert len(found.titles) == 6


@pytest.mark.parametrize("language", [ZH, EN], ids=["zh", "en"])
def test_what_was_written_is_read_again(language: Any) -> None:
    rows: Mapping[str, Any] = {
        "owner": [("P1", "=HYPERLINK(1)", "13800001234", None), ("P2", "+李", None, None)],
        "tenancy": [("park", "1", "1-102", "P1", "occupant", "2026-01-01", None)],
        "vehicle": [("京A12345", "P1", "electric_car", None, None, None)],
    }
    body = workbook.write(language, rows)
    found = workbook.read(body)
    assert found.faults == []
    assert [each.name for each in found.records.owner] == ["=HYPERLINK(1)", "+李"]
    assert (found.records.tenancy[0].kind, found.records.vehicle[0].kind) == ("occupant", "electric_car")
    page = load_workbook(io.BytesIO(body))[found.titles["owner"]]
    assert page["B2"].data_type == "s", "a name that looks like a formula stays a text"
    assert page["B2"].quotePrefix


UNITS = ("Site code *", "Building code", "Unit", "Area m²", "产权起始日")


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        (("park", "1", date(2026, 1, 10), 80), "Units!C2 the spreadsheet has made a day of this"),
        (("park", "1", "1-101", "eighty"), "Units!D2 Write a number"),
        (("park", "1", "1-101", -1), "Units!D2 Write a number of at least 0."),
        (("park", "1", None, 80), "Units!C2 Fill this in."),
        (("park", "1", "=A1", 80), "Units!C2 a formula stands here"),
        (("park", "1", "1-101", 80, "soon"), "Units!E2 Write a day"),
        (("park", "1", True, 80), "Units!C2 yes or no does not belong here"),
    ],
)
def test_a_fault_names_its_sheet_and_cell(row: Sequence[Any], wanted: str) -> None:
    found = told(book(Units=[UNITS, row]))
    assert len(found) == 1
    assert found[0].startswith(wanted)


def test_numbers_and_days_of_a_spreadsheet_are_taken_as_they_look() -> None:
    found = workbook.read(
        book(房屋=[UNITS, ("park", 1, 101.0, 97.41, date(2020, 5, 1)), ("park", 1, 102, None, "2021/6/1")])
    )
    assert [english(each.problem) for each in found.faults] == ["Write a day, such as 2026-11-23."]
    (unit,) = found.records.unit
    assert (unit.building, unit.code, str(unit.area_m2), str(unit.owned_from)) == ("1", "101", "97.41", "2020-05-01")


def test_titles_sheets_and_doubles_are_told() -> None:
    found = told(book(Units=[("Site code", "Colour", "Unit"), ("a", "red", "1")], Notes=[("x",)]))
    assert found[0].startswith("Units!B1 there is no column 'Colour'")
    assert found[1].startswith("Units!1 the column")
    assert any(each.startswith("Notes! this sheet is not one") for each in found)
    doubled = told(book(Units=[UNITS, ("a", "1", "1"), (None, None), ("a", "1", "1")]))
    assert doubled == ["Units!4 the same stands in row 2"]


def zipped(**parts: bytes) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/") + ".xml", content)
    return body.getvalue()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"no workbook", "This is no workbook"),
        (b"", "This is no workbook"),
        (zipped(a=b"x"), "This is no workbook"),
        (zipped(xl__workbook=b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"), "This is no workbook"),
        (zipped(xl__workbook="<!DOCTYPE a>".encode("utf-16")), "This is no workbook"),
        (zipped(xl__workbook=b"<a/>"), "This is no workbook"),
        (b"0" * (workbook.MOST_BYTES + 1), "The file is larger than 8 MB."),
    ],
    ids=range(7),
)
def test_what_is_no_workbook_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        workbook.read(body)
    assert english(refused.value.problems["file"]).startswith(words)


def test_a_small_file_that_would_fill_the_memory_is_refused() -> None:
    body = zipped(xl__workbook=b"<a/>", bomb=bytes(100 * 1024 * 1024))
    assert len(body) < 200_000
    with pytest.raises(Invalid) as refused:
        workbook.read(body)
    assert "far larger" in english(refused.value.problems["file"])


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1"])
def test_nothing_in_a_csv_file_runs(text: str) -> None:
    assert harmless(text) == "'" + text
    assert harmless("王芳") == "王芳"

"""The workbook: written as a template or with everything in it, and read back cell by cell."""

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from xml.etree.ElementTree import ParseError

from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.datavalidation import DataValidation

from central_server.dashboard.i18n import Language
from central_server.form import Invalid, Problem, Typed, parse
from central_server.records.cell import is_formula
from central_server.records.model import Records, row_key
from central_server.records.refusal import Refusal
from central_server.records.sheet import GUIDE, RULES, SHEETS, Column, Sheet, folded, in_every_language, spellings
from central_server.records.shelf import Key

MOST_BYTES = 8 * 1024 * 1024
_MOST_OPENED, _MOST_PARTS, _MOST_ROWS, _MOST_COLUMNS = 96 * 1024 * 1024, 200, 30_000, 40
_MOST_FAULTS = 200
_PIECE = 64 * 1024
_DECLARATION = b"<!DOCTYPE"


@dataclass(frozen=True, slots=True)
class CellFault:
    """What is wrong in which cell; ``cell`` is such as B7, a row's number, or "" for the sheet."""

    sheet: str
    cell: str
    problem: Problem
    remedy: Problem | None = None


@dataclass
class Book:
    """A workbook as it was read: its rows, where each stood, and what is wrong with the others."""

    records: Records = field(default_factory=Records)
    titles: dict[str, str] = field(default_factory=dict)
    lines: dict[str, list[int]] = field(default_factory=dict)
    letters: dict[str, dict[str, str]] = field(default_factory=dict)
    faults: list[CellFault] = field(default_factory=list)
    faulty: int = 0
    broken: set[tuple[str, Key]] = field(default_factory=set)

    @property
    def rows(self) -> int:
        return sum(len(lines) for lines in self.lines.values()) + self.faulty

    def refuse(self, sheet: str, cell: str, problem: Problem, remedy: Problem | None = None) -> None:
        self.faulty += 1
        if len(self.faults) < _MOST_FAULTS:
            self.faults.append(CellFault(sheet, cell, problem, remedy))

    def place(self, refusal: Refusal) -> CellFault:
        """Say in which cell a refused row's fault stands."""
        line = self.lines[refusal.table][refusal.index]
        letter = self.letters[refusal.table].get(refusal.key, "")
        return CellFault(self.titles[refusal.table], f"{letter}{line}", refusal.problem, refusal.remedy)


def write(language: Language, rows: Mapping[str, Iterable[Sequence[Any]]]) -> bytes:
    """Write the workbook in a language; without rows it is the template."""
    book = Workbook(write_only=True)
    guide = book.create_sheet(language.gettext(GUIDE))
    guide.column_dimensions["A"].width = 100
    for rule in RULES:
        guide.append([_text(guide, language.gettext(rule))])
    for sheet in SHEETS:
        _write_sheet(book, sheet, language, rows.get(sheet.table, ()))
    body = io.BytesIO()
    book.save(body)
    return body.getvalue()


def _write_sheet(book: Any, sheet: Sheet, language: Language, rows: Iterable[Sequence[Any]]) -> None:
    page = book.create_sheet(language.gettext(sheet.title))
    page.freeze_panes = "A2"
    head = []
    for number, column in enumerate(sheet.columns, start=1):
        letter = get_column_letter(number)
        page.column_dimensions[letter].width = column.width
        # As text: a spreadsheet would make a day of the unit 1-10, and a number of a phone.
        page.column_dimensions[letter].number_format = "@"
        cell = _text(page, language.gettext(column.title) + (" *" if column.is_required else ""))
        cell.font, cell.alignment = Font(bold=True), Alignment(vertical="center")
        head.append(cell)
        if column.choices:
            page.data_validations.append(_choice(letter, column, language))
    page.append(head)
    for row in rows:
        page.append([_cell(page, column, value, language) for column, value in zip(sheet.columns, row, strict=True)])


def _choice(letter: str, column: Column, language: Language) -> DataValidation:
    names = ",".join(language.gettext(text) for text in (column.choices or {}).values())
    return DataValidation(type="list", formula1=f'"{names}"', allow_blank=True, sqref=f"{letter}2:{letter}{_MOST_ROWS}")


def _cell(page: Any, column: Column, value: Any, language: Language) -> Any:
    if value is None:
        return None
    text = str(value)
    if column.choices:
        text = language.gettext(column.choices.get(text, text))
    return _text(page, text)


def _text(page: Any, text: str) -> Any:
    """Make a cell that stays a text, whatever it begins with."""
    cell = WriteOnlyCell(page, text)
    cell.data_type, cell.number_format = "s", "@"
    if is_formula(text):
        cell.quotePrefix = True
    return cell


def check(body: bytes) -> None:
    """Refuse what is no workbook or would be too much to open. Raises: Invalid."""
    if len(body) > MOST_BYTES:
        raise _unusable(Problem("The file is larger than {most} MB.", {"most": MOST_BYTES // 1024 // 1024}))
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            parts = archive.infolist()
            if len(parts) > _MOST_PARTS or "xl/workbook.xml" not in archive.namelist():
                raise _unusable(_NO_WORKBOOK)
            _measure(archive, parts)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError):
        raise _unusable(_NO_WORKBOOK) from None


_NO_WORKBOOK = Problem("This is no workbook of the kind .xlsx. Download the template and fill it in.")


def _measure(archive: zipfile.ZipFile, parts: Iterable[zipfile.ZipInfo]) -> None:
    """Open every part in pieces: what a part says of its own size may be a lie."""
    opened = 0
    for part in parts:
        with archive.open(part) as stream:
            tail = b""
            while piece := stream.read(_PIECE):
                opened += len(piece)
                if opened > _MOST_OPENED:
                    raise _unusable(Problem("Unpacked the file is far larger than a workbook of records can be."))
                # In UTF-16 every second byte is zero; neither is written by any spreadsheet.
                if _DECLARATION in (tail + piece).upper().replace(b"\0", b"") and part.filename.endswith(
                    (".xml", ".rels")
                ):
                    raise _unusable(_NO_WORKBOOK)
                tail = piece[-len(_DECLARATION) * 2 :]


def _unusable(problem: Problem) -> Invalid:
    return Invalid({"file": problem})


def read(body: bytes) -> Book:
    """Read a workbook cell by cell; takes a while and belongs into a thread.

    Raises: Invalid for a file that cannot be used at all.
    """
    check(body)
    found = Book()
    try:
        book = load_workbook(io.BytesIO(body), read_only=True, data_only=False, keep_links=False)
        rows: dict[str, tuple[Any, ...]] = {}
        for page in book.worksheets:
            sheet = next((each for each in SHEETS if folded(page.title) in spellings(each.title)), None)
            if sheet is not None and sheet.table not in found.titles:
                rows[sheet.table] = tuple(_read_sheet(found, sheet, page))
            elif folded(page.title) not in spellings(GUIDE):
                names = Problem("Do not rename the sheets; remove those that are not part of the template.")
                found.refuse(page.title, "", Problem("this sheet is not one of the template's"), names)
    except (InvalidFileException, ParseError, KeyError, ValueError, TypeError, AttributeError, IndexError, OSError):
        # openpyxl meets a broken file with whatever comes up; none of it is a fault of the product.
        raise _unusable(_NO_WORKBOOK) from None
    found.records = Records.model_construct(None, **rows)
    return found


def _read_sheet(found: Book, sheet: Sheet, page: Any) -> list[Any]:
    found.titles[sheet.table], found.lines[sheet.table] = page.title, []
    lines = page.iter_rows(max_col=_MOST_COLUMNS)
    columns = _head(found, sheet, page.title, next(lines, ()))
    taken: list[Any] = []
    seen: dict[Key, int] = {}
    for number, cells in enumerate(lines, start=2):
        if all(cell.value is None or str(cell.value).strip() == "" for cell in cells):
            continue
        if len(taken) >= _MOST_ROWS:
            found.refuse(page.title, str(number), Problem("there are more than {most} rows", {"most": _MOST_ROWS}))
            break
        row = _read_row(found, sheet, number, columns, cells)
        if row is None:
            continue
        first = seen.setdefault(row_key(row), number)
        if first != number:
            remedy = Problem("Remove one of them.")
            found.refuse(page.title, str(number), Problem("the same stands in row {row}", {"row": first}), remedy)
        else:
            taken.append(row)
            found.lines[sheet.table].append(number)
    return taken


def _head(found: Book, sheet: Sheet, title: str, cells: Iterable[Any]) -> dict[int, Column]:
    """Find which column stands where by the titles in the first row."""
    columns: dict[int, Column] = {}
    for position, cell in enumerate(cells):
        text = folded(str(cell.value)) if cell.value is not None else ""
        column = next((each for each in sheet.columns if text in {each.key} | spellings(each.title)), None)
        if column is not None and column not in columns.values():
            columns[position] = column
        elif text:
            problem = Problem("there is no column '{name}' on this sheet", {"name": str(cell.value)[:40]})
            found.refuse(
                title, f"{get_column_letter(position + 1)}1", problem, Problem("Remove it or correct its name.")
            )
    for each in sheet.columns:
        if each.is_required and each not in columns.values():
            found.refuse(title, "1", Problem("the column '{name}' is missing", {"name": in_every_language(each.title)}))
    found.letters[sheet.table] = {column.key: get_column_letter(at + 1) for at, column in columns.items()}
    return columns


def _read_row(found: Book, sheet: Sheet, number: int, columns: Mapping[int, Column], cells: Sequence[Any]) -> Any:
    values: dict[str, str] = {}
    problems: dict[str, Problem] = {}
    for position, column in columns.items():
        cell = cells[position] if position < len(cells) else None
        if cell is None or cell.value is None:
            continue
        text, problem = _value(column, cell)
        values[column.key] = text
        if problem is not None:
            problems[column.key] = problem
    if not problems:
        try:
            return parse(sheet.model, Typed(values))
        except Invalid as refused:
            problems = refused.problems
    found.broken.add((sheet.table, _broken_key(sheet, values)))
    for key, problem in problems.items():
        found.refuse(found.titles[sheet.table], f"{found.letters[sheet.table].get(key, '')}{number}", problem)
    return None


def _broken_key(sheet: Sheet, values: Mapping[str, str]) -> Key:
    names = {"building": ("site", "code"), "owner": ("code",), "unit": ("site", "building", "code")}
    return tuple(values.get(name, "") for name in names.get(sheet.table, ()))


def _value(column: Column, cell: Any) -> tuple[str, Problem | None]:
    """Give what a person sees in a cell as text, and what is wrong with it."""
    value = cell.value
    if cell.data_type == "f":
        return "", Problem("a formula stands here; write the value")
    if cell.data_type == "e":
        return "", Problem("the spreadsheet shows an error here")
    if isinstance(value, datetime | date):
        if column.key.endswith(("_on", "_from")):
            return value.strftime("%Y-%m-%d"), None
        return "", Problem("the spreadsheet has made a day of this; format the column as text and write it again")
    if isinstance(value, bool):
        return "", Problem("yes or no does not belong here")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()
    if column.key.endswith(("_on", "_from")):
        return text.replace("/", "-"), None
    if column.choices:
        return next(
            (key for key, name in column.choices.items() if folded(text) in {key} | spellings(name)), text
        ), None
    return text, None

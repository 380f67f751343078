"""A file of records on the command line: TOML or a workbook, with its faults in its own places."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from central_server.form import Invalid
from central_server.records import workbook
from central_server.records.model import Records, read_records
from central_server.records.refusal import Refusal, english
from central_server.records.shelf import Key
from central_server.records.workbook import Book, CellFault
from protocols.toml import Fault, SettingsError


class Source(Protocol):
    """Checked rows, and where each stands in its file."""

    @property
    def records(self) -> Records: ...
    @property
    def faults(self) -> Sequence[Fault]: ...
    @property
    def broken(self) -> Collection[tuple[str, Key]]: ...

    def place(self, refusal: Refusal) -> Fault:
        """Say where a refused row's fault stands."""
        ...


@dataclass(frozen=True, slots=True)
class BookSource:
    """A workbook as a source; a place is such as Units!B7."""

    file: str
    book: Book

    @property
    def records(self) -> Records:
        return self.book.records

    @property
    def faults(self) -> Sequence[Fault]:
        return [self._fault(each) for each in self.book.faults]

    @property
    def broken(self) -> Collection[tuple[str, Key]]:
        return self.book.broken

    def place(self, refusal: Refusal) -> Fault:
        return self._fault(self.book.place(refusal))

    def _fault(self, fault: CellFault) -> Fault:
        where = f"{fault.sheet}!{fault.cell}" if fault.cell else fault.sheet
        return Fault(self.file, 0, where, english(fault.problem).rstrip("."), english(fault.remedy))


def open_source(file: Path) -> Source:
    """Read a records file as far as it can be checked without the database; .xlsx is a workbook.

    Raises: SettingsError with every fault found.
    """
    try:
        if file.suffix.lower() == ".xlsx":
            return BookSource(str(file), workbook.read(file.read_bytes()))
        return read_records(file.read_text(encoding="utf-8"), str(file))
    except Invalid as refused:
        reason = english(refused.problems["file"])
    except UnicodeDecodeError:
        reason = "is not UTF-8 text"
    except OSError as error:
        reason = error.strerror or "cannot be read"
    raise SettingsError([Fault(str(file), 0, "", reason.rstrip("."), "Name a records file.")]) from None

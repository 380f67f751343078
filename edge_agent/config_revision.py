"""The revisions of the settings on disk: every whole file, and the book of what became of it.

    config/000003.toml    a revision's text, never written again
    config/book.json      the book; putting a new one in its place is what makes a change
    config/lock           held by the running gateway, or by a command while none runs

A text is on disk before a book names it, so that a power cut leaves the book before or the book after.
"""

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge_agent.config import Settings, load_settings, parse_settings, read_text
from edge_agent.config_health import Health
from edge_agent.config_trial import Book, Phase, Revision, State
from edge_agent.durable_file import private_folder, write_durably
from protocols.toml import Fault, SettingsError

FOLDER, BOOK, LOCK = "config", "book.json", "lock"
MOST_BYTES = 512 * 1024
_FORMAT = 1
_TEXT = re.compile(r"([0-9]{6,9})\.toml")


class RevisionError(Exception):
    """The revisions cannot be read or written; a sentence with its remedy."""


class Damaged(RevisionError):
    """The book cannot be understood."""


class Held(RevisionError):
    """Another process works with the revisions; ``holder`` is its number."""

    def __init__(self, folder: Path, holder: str) -> None:
        super().__init__(f"{folder}: process {holder} works with these settings. Wait a moment, then try again.")
        self.holder = holder


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Revisions:
    """The revisions of one gateway.

    Shape: ``file`` is the settings file, which paths in every revision are relative to.
    """

    def __init__(self, data: Path, file: Path, write: Callable[[Path, bytes], None] = write_durably) -> None:
        self.folder = data / FOLDER
        self.file = file
        self._write = write

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the only one to change anything. Raises: Held, RevisionError."""
        try:
            private_folder(self.folder)
            _own(self.folder)
            descriptor = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            _own(self.folder / LOCK)
        except OSError as error:
            raise self._failed("cannot be written", error) from None
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
                raise Held(self.folder, holder) from None
            with suppress(OSError):  # the number is a help for people only
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def book(self) -> Book | None:
        """Read the book; None where there is none yet. Raises: RevisionError."""
        path = self.folder / BOOK
        try:
            return _read(json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed("cannot be read", error) from None
        except (ValueError, KeyError, TypeError, RecursionError):
            remedy = "Start the gateway again: it begins a new one with the settings file."
            raise Damaged(f"{path}: the list of revisions is damaged. {remedy}") from None

    def save(self, book: Book) -> None:
        """Make a book the one that counts. Raises: RevisionError: then the one before does."""
        path = self.folder / BOOK
        try:
            self._write(path, json.dumps(_document(book), ensure_ascii=False).encode())
            _own(path)
        except OSError as error:
            raise self._failed("cannot be written", error) from None
        kept = {found.number for found in book.revisions}
        for number, text in self._texts():
            if number not in kept:
                with suppress(OSError):  # it is only in the way
                    text.unlink()

    def set_aside(self) -> None:
        """Put a damaged book out of the way. Raises: RevisionError."""
        path = self.folder / BOOK
        try:
            path.replace(path.with_suffix(".damaged"))
        except OSError as error:
            raise self._failed("cannot be written", error) from None

    def put(self, text: str) -> int:
        """Keep a text and give its number; nothing counts yet. Raises: RevisionError."""
        book = self.book()
        numbers = [number for number, _ in self._texts()] + [it.number for it in (book.revisions if book else ())]
        number = max(numbers, default=0) + 1
        try:
            self._write(self.place(number), text.encode())
            _own(self.place(number))
        except OSError as error:
            raise self._failed("cannot be written", error) from None
        return number

    def place(self, number: int) -> Path:
        return self.folder / f"{number:06}.toml"

    def text(self, revision: Revision) -> str:
        """Give a revision's text. Raises: SettingsError where it is not there or was changed."""
        place = self.place(revision.number)
        text = read_text(place)
        if digest_of(text) != revision.hash:
            remedy = "Go back to another with 'edge config revert REVISION'."
            raise SettingsError([Fault(str(place), 0, "", "this revision was changed on disk", remedy)])
        return text

    def settings(self, revision: Revision) -> Settings:
        """Give the settings that a revision is. Raises: SettingsError."""
        return parse_settings(self.text(revision), self.file, str(self.place(revision.number)))

    def _texts(self) -> list[tuple[int, Path]]:
        with suppress(OSError):
            found = [(_TEXT.fullmatch(path.name), path) for path in self.folder.iterdir()]
            return [(int(match[1]), path) for match, path in found if match]
        return []

    def _failed(self, what: str, error: OSError) -> RevisionError:
        reason = error.strerror or str(error)
        return RevisionError(f"{self.folder}: settings {what} ({reason}). Use the gateway's account.")


def settings_in_force(file: Path) -> Settings:
    """Give the settings that a gateway with this settings file runs by, or would run by if it were started now.

    Raises: SettingsError.
    """
    given = load_settings(file)
    revisions = Revisions(given.data, given.file)
    try:
        book = revisions.book()
    except RevisionError:
        return given  # who may not look into the data folder, or where it is damaged: the file is what there is
    if book is None or book.file_hash != digest_of(read_text(file)):
        return given  # it was changed since, and counts from the next start on
    current, good = book.get(book.current), book.get(book.good)
    assert current is not None
    assert good is not None
    try:
        return revisions.settings(current)
    except SettingsError:
        if current is good:
            raise
        return revisions.settings(good)  # what the next start goes back to


def _own(path: Path) -> None:
    """Give what the administrator makes to whom the data folder belongs, who has to read it."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def _document(book: Book) -> dict[str, Any]:
    before = None if book.before is None else _health_json(book.before)
    return {
        "format": _FORMAT,
        "good": book.good,
        "file_hash": book.file_hash,
        "phase": book.phase.value,
        "centre": book.centre,
        "before": before,
        "revisions": [asdict(found) | {"state": found.state.value} for found in book.revisions],
    }


def _read(document: Any) -> Book:
    """Read a book. Raises: ValueError, KeyError, TypeError."""
    if document["format"] != _FORMAT:
        raise ValueError
    revisions = tuple(Revision(**{**row, "state": State(row["state"])}) for row in document["revisions"])
    before = None if document["before"] is None else _read_health(document["before"])
    phase, centre = Phase(document["phase"]), int(document["centre"])
    book = Book(revisions, int(document["good"]), str(document["file_hash"]), phase, before, centre)
    if book.get(book.good) is None:
        raise ValueError
    return book


def _health_json(health: Health) -> dict[str, Any]:
    return {name: value if isinstance(value, bool) else sorted(value) for name, value in asdict(health).items()}


def _read_health(document: Any) -> Health:
    buses, devices, asked = (frozenset(map(str, document[name])) for name in ("buses", "devices", "asked"))
    return Health(buses, devices, asked, bool(document["is_synced"]))

"""The simulator's own record of every register it told anybody: the truth for checks of bills.

One JSON line an answer and register, in the file before the answer's first byte leaves, so
a reading at the other end that is not in here was never served. At doors one line a card shown
and a relay pulsed, before either can be seen; such a line has "door" where others have "meter".
"""

import fcntl
import json
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

from drivers.sim.errors import SimError

_STOPPED = "No answer goes out unrecorded and the journal cannot be written"


class Served(NamedTuple):
    """A cumulative register as an answer carried it; Units: kWh or m3."""

    meter: str
    point: str
    value: Decimal
    unit: str


class Happened(NamedTuple):
    """What was done to a door: a card was shown, or the relay was pulsed."""

    door: str
    what: str
    more: dict[str, int | str]


class Journal:
    """Append to a journal file, or to nowhere when there is no path.

    Raises: SimError where the file cannot be used or another simulator holds it.
    """

    def __init__(self, path: Path | None, now: Callable[[], datetime]) -> None:
        """Open the file, drop a line that a crash cut short, and note the last value of every meter."""
        self._now = now
        self._fd: int | None = None
        self.last: dict[tuple[str, str], Decimal] = {}
        self.cards: dict[str, int] = {}  # the last counter of every door
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._read(path)
        except BlockingIOError:
            self.close()
            raise SimError(
                f"The journal {path} is held by another simulator. Stop that one or name another journal."
            ) from None
        except OSError as error:
            self.close()
            raise SimError(
                f"The journal {path} cannot be opened: {error.strerror}. Name a file in a folder you can write to."
            ) from None

    def write(self, entries: Sequence[Served | Happened]) -> None:
        """Put what an answer is about to carry or to do into the file; returns once the system has it."""
        if self._fd is None or not entries:
            return
        at = self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        data = "".join(json.dumps(_line(entry, at)) + "\n" for entry in entries).encode()
        try:
            is_whole = os.write(self._fd, data) == len(data)
        except OSError as error:
            raise SimError(f"{_STOPPED}: {error.strerror}. Free some space or name another journal.") from None
        if not is_whole:
            raise SimError(f"{_STOPPED}: the disk is full. Free some space or name another journal.")

    def close(self) -> None:
        """Close the file; safe to repeat."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _read(self, path: Path) -> None:
        whole = 0
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    # Its answer never left: the line is written whole before the answer goes.
                    os.truncate(path, whole)
                    return
                whole += len(line)
                try:
                    entry = json.loads(line)
                    if "door" in entry:
                        self.cards[entry["door"]] = int(entry.get("counter", self.cards.get(entry["door"], 0)))
                        continue
                    self.last[entry["meter"], entry["point"]] = Decimal(entry["value"])
                except (ValueError, KeyError, TypeError, InvalidOperation):
                    raise SimError(
                        f"{path}:{number}: not a line of a journal. Move the file away or name another journal."
                    ) from None


def _line(entry: Served | Happened, at: str) -> dict[str, int | str]:
    if isinstance(entry, Happened):
        return {"door": entry.door, "what": entry.what, **entry.more, "at": at}
    return {
        "meter": entry.meter,
        "point": entry.point,
        "value": str(entry.value),
        "unit": entry.unit,
        "served_at": at,
    }

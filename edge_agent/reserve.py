"""Room on the disk kept back for what must be written even when it is full.

Deleting acknowledged records is a write too: on a disk filled to the last byte SQLite can
neither store an alarm nor take an Ack, and a store that cannot take Acks never empties.
Readings are accepted only while the reserve is whole, so it is there when it is needed.
"""

import contextlib
import os
from pathlib import Path

# A WAL of 4 MiB plus the growth of the file when it is written back.
RESERVE_BYTES = 8 * 1024 * 1024


class Reserve:
    """A file that does nothing but take up room."""

    def __init__(self, path: Path, size: int = RESERVE_BYTES) -> None:
        self._path = path
        self._size = size
        self.is_held = False

    def hold(self) -> bool:
        """Take the room if it is there, and say whether it is."""
        if not self.is_held:
            try:
                descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
                try:
                    os.posix_fallocate(descriptor, 0, self._size)
                finally:
                    os.close(descriptor)
                self.is_held = True
            except OSError:
                self.release()
        return self.is_held

    def release(self) -> None:
        """Give the room to whoever writes next."""
        self.is_held = False
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

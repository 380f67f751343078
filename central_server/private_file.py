"""A file that only its owner may read, written whole or not at all."""

import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path


def write_private(path: Path, make_text: Callable[[], str]) -> None:
    """Make a file (0600) of what ``make_text`` gives, in the place of one that is there.

    ``make_text`` is called only when the folder is known to take the file, and where it fails
    the file that was there stays.

    Raises: OSError, and whatever ``make_text`` does.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        try:
            file.write(make_text())
            file.flush()
            os.fsync(file.fileno())
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)

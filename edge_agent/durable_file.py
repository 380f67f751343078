"""A file of which either the old or the new content is there, whatever happens; only its owner reads it."""

import os
from pathlib import Path


def private_folder(path: Path) -> None:
    """Make a folder, and the one above it, that nobody but its owner enters. Raises: OSError."""
    for folder in (path.parent, path):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def write_durably(path: Path, data: bytes) -> None:
    """Replace a file in one step that a power cut cannot halve.

    Raises: OSError.
    """
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

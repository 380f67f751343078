"""The key of one OSDP device: a file that only this gateway can read, and never the default key.

Shape: 32 hex digits on one line, mode 0600.
"""

import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from drivers.errors import DriverError
from protocols.osdp.channel import DEFAULT_KEY, KEY_BYTES

_HEX = re.compile(rf"[0-9a-fA-F]{{{2 * KEY_BYTES}}}")
_LONGEST = 256


class KeyRefused(DriverError):
    """A key that is not used, and the remedy."""


def read_key(path: Path) -> bytes:
    """Read a device's key.

    Raises: KeyRefused.
    """
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            content = file.read(_LONGEST) if stat.S_ISREG(found.st_mode) else b""
    except OSError as error:
        raise KeyRefused(
            f"{path}: the key of this reader cannot be read ({error.strerror}). Put its 32 hex digits there, or set "
            f"install_mode = true to give a new reader a key of its own."
        ) from None
    if not stat.S_ISREG(found.st_mode):
        raise KeyRefused(f"{path}: the key of a reader stands in a regular file. Name the file that holds it.")
    if found.st_mode & 0o077:
        raise KeyRefused(
            f"{path}: others can read the key (mode {stat.S_IMODE(found.st_mode):04o}). Close it with: chmod 600 {path}"
        )
    text = content.decode("ascii", errors="replace").strip()
    if not _HEX.fullmatch(text):
        raise KeyRefused(f"{path}: a key is {2 * KEY_BYTES} hex digits on one line. Correct the file.")
    key = bytes.fromhex(text)
    if key == DEFAULT_KEY:
        raise KeyRefused(
            f"{path}: this is the default key, which everybody knows. Remove the file and set install_mode = true: "
            f"the reader is then given a key of its own."
        )
    return key


def make_key(path: Path) -> bytes:
    """Make a new key and write it down before any device hears it; a key that is there already is kept.

    Raises: KeyRefused.
    """
    key = secrets.token_bytes(KEY_BYTES)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return read_key(path)
    except OSError as error:
        raise KeyRefused(f"{path}: no key can be written there ({error.strerror}). Name another key_file.") from None
    try:
        with os.fdopen(fd, "w") as file:
            file.write(key.hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise KeyRefused(f"{path}: the key could not be written ({error.strerror}). Make room.") from None
    return key

"""The key of one BLE device: a file that only this gateway can read.

Shape: 32 hex digits on one line, mode 0600.
"""

import os
import re
import stat
from pathlib import Path

from drivers.errors import DeviceRefused

KEY_BYTES = 16
_HEX = re.compile(rf"[0-9a-fA-F]{{{2 * KEY_BYTES}}}")
_LONGEST = 256


def read_device_key(path: Path) -> bytes:
    """Read a device's key.

    Raises: DeviceRefused with the file and the remedy.
    """
    try:
        # Without waiting: a pipe in its place must not stop the gateway.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise DeviceRefused(
            f"{path}: the device's key cannot be read ({error.strerror}). Put its {2 * KEY_BYTES} hex digits there."
        ) from None
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise DeviceRefused(f"{path}: a key stands in a regular file. Name the file that holds it.")
        content = file.read(_LONGEST)
    if found.st_mode & 0o077:
        mode = f"{stat.S_IMODE(found.st_mode):04o}"
        raise DeviceRefused(f"{path}: others can read the key (mode {mode}). Close it with: chmod 600 {path}")
    text = content.decode("ascii", errors="replace").strip()
    if not _HEX.fullmatch(text):
        raise DeviceRefused(f"{path}: a key is {2 * KEY_BYTES} hex digits on one line. Correct the file.")
    return bytes.fromhex(text)

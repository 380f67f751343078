"""A serial port as the kernel shows it: which USB device it is of, and who has it open."""

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from edge_agent.check.fact.process import command_of, processes
from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.text import is_there, listed, read

_LOCK_PID, _LOCK_FILE = 4, 5
_MASTERS = frozenset({"/dev/ptmx", "/dev/pts/ptmx"})


class Holder(NamedTuple):
    """A process that has a port open."""

    pid: int
    name: str


def tty_of(port: Path) -> str:
    """Give the kernel's name of a port: ``ttyUSB0`` for any link to it."""
    return Path(os.path.realpath(port)).name


def usb_device(scene: Scene, tty: str) -> Path | None:
    """Find the folder of the USB device that a port is of, None where it is of none.

    Source: Linux Documentation/ABI/testing/sysfs-bus-usb; a device's folder has its idVendor.
    """
    place = scene.sys / "class/tty" / tty / "device"
    if not is_there(place):
        return None
    folder = Path(os.path.realpath(place))
    for parent in (folder, *folder.parents):
        if is_there(parent / "idVendor"):
            return parent
        if parent == scene.sys:
            break
    return None


def usb_ttys(scene: Scene) -> list[tuple[str, Path]]:
    """List every serial port that is of a USB device, with the device's folder."""
    names = [path.name for path in listed(scene.sys / "class/tty")]
    return [(name, folder) for name in names if (folder := usb_device(scene, name)) is not None]


def identity(folder: Path) -> tuple[str, str, str]:
    """Give a USB device's vendor, product and serial number, empty where it tells none."""
    return read(folder / "idVendor") or "", read(folder / "idProduct") or "", read(folder / "serial") or ""


def stable_names(scene: Scene, port: Path) -> list[Path]:
    """List the links that lead to a port whatever order the adapters were found in, the best first."""
    target = os.path.realpath(port)
    found = []
    for folder in ("by-id", "by-path"):
        found += [path for path in listed(scene.dev / "serial" / folder) if os.path.realpath(path) == target]
    return found


def holders(scene: Scene, port: Path) -> list[Holder]:
    """Find the processes that have a port open, as far as this account may see them."""
    target = os.path.realpath(port)
    found = {}
    for folder in processes(scene.proc):
        opened = _opened(folder)
        # Whoever has a terminal's master is the line's other end: a simulator or a converter in software.
        if target in opened and not (target.startswith("/dev/pts/") and opened & _MASTERS):
            found[int(folder.name)] = command_of(folder)
    # Another account's descriptors are not shown, but its locks are.
    for pid in _lockers(scene, target):
        found.setdefault(pid, command_of(scene.proc / str(pid)))
    return [Holder(pid, name) for pid, name in sorted(found.items())]


def _opened(folder: Path) -> set[str]:
    """Give what a process has open, as far as this account may see it."""
    found = set()
    for descriptor in listed(folder / "fd"):
        with suppress(OSError):
            found.add(str(descriptor.readlink()))
    return found


def _lockers(scene: Scene, target: str) -> list[int]:
    """Find who has a lock on a file. Source: proc(5), /proc/locks."""
    try:
        found = Path(target).stat()
    except OSError:
        return []
    key = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    pids = []
    for line in (read(scene.proc / "locks") or "").splitlines():
        words = line.split()
        if len(words) > _LOCK_FILE and words[1] != "->" and words[_LOCK_FILE] == key and words[_LOCK_PID].isdecimal():
            pids.append(int(words[_LOCK_PID]))
    return pids


def is_character_device(port: Path) -> bool:
    try:
        return stat.S_ISCHR(port.stat().st_mode)
    except OSError:
        return False

"""A disk that forgets what was not synced: a FUSE file system in memory, for one folder without folders in it.

What is written is seen at once, as by the page cache. What was synced is on the disk. When the file system is
unmounted, the power is cut: of the writes since the last sync of their file some are there, some are not, and
some are there in part, sector by sector. Names (made, moved, taken away) are kept in their order, as a journalling
file system keeps them: a sync of any file or of the folder brings all names before it to the disk.

    state    what is on the disk, in one file of a true file system, from one life to the next
"""

import errno
import os
import pickle
import random
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mfusepy

_SECTOR = 512
_SURVIVING = (0.0, 0.5, 0.9)


@dataclass(slots=True)
class File:
    """A file as it is seen, as it is on the disk, and what lies between."""

    node: int
    changed_ns: int
    mode: int = 0o600
    seen: bytearray = field(default_factory=bytearray)
    disk: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)  # None: cut there, or extended to there

    def write(self, at: int, data: bytes | None) -> None:
        _apply(self.seen, at, data)
        self.pending.append((at, data))

    def sync(self) -> None:
        for at, data in self.pending:
            _apply(self.disk, at, data)
        self.pending.clear()

    def lose(self, chance: random.Random, surviving: float) -> None:
        for at, data in self.pending:
            draw = chance.random()
            if draw < surviving * 0.8:
                _apply(self.disk, at, data)
            elif draw < surviving and data is not None:
                for start in range(0, len(data), _SECTOR):
                    if chance.random() < 0.5:
                        _apply(self.disk, at + start, data[start : start + _SECTOR])
        self.pending.clear()
        self.seen = bytearray(self.disk)


def _apply(content: bytearray, at: int, data: bytes | None) -> None:
    if data is None:
        del content[at:]
        content.extend(bytes(at - len(content)))
        return
    if len(content) < at:
        content.extend(bytes(at - len(content)))
    content[at : at + len(data)] = data


@dataclass(slots=True)
class Disk:
    """All files by node; names as they are seen and as they are on the disk."""

    files: dict[int, File] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    disk: dict[str, int] = field(default_factory=dict)
    journal: list[tuple[str, str, int]] = field(default_factory=list)
    next_node: int = 2

    def link(self, name: str, node: int) -> None:
        self.seen[name] = node
        self.journal.append(("link", name, node))

    def unlink(self, name: str) -> None:
        del self.seen[name]
        self.journal.append(("unlink", name, 0))

    def rename(self, old: str, new: str) -> None:
        node = self.seen.pop(old)
        self.seen[new] = node
        self.journal.append(("move", f"{old}/{new}", node))

    def create(self, name: str, mode: int) -> None:
        self.files[self.next_node] = File(self.next_node, time.time_ns(), stat.S_IMODE(mode))
        self.link(name, self.next_node)
        self.next_node += 1

    def sync_names(self, count: int | None = None) -> None:
        for what, name, node in self.journal[:count]:
            if what == "link":
                self.disk[name] = node
            elif what == "unlink":
                self.disk.pop(name, None)
            else:
                old, _, new = name.partition("/")
                self.disk.pop(old, None)
                self.disk[new] = node
        self.journal.clear()

    def cut(self, chance: random.Random) -> None:
        """Lose the power."""
        surviving = chance.choice(_SURVIVING)
        self.sync_names(chance.randint(0, len(self.journal)))
        for file in self.files.values():
            file.lose(chance, surviving)
        self.seen = dict(self.disk)
        kept = set(self.disk.values())
        self.files = {node: file for node, file in self.files.items() if node in kept}

    def put(self, name: str, content: bytes) -> None:
        """Lay a file on the disk."""
        self.create(name, 0o600)
        self.files[self.seen[name]].write(0, content)
        self.files[self.seen[name]].sync()
        self.sync_names()

    def lay_out(self, folder: Path) -> None:
        """Copy what is on the disk into a true folder."""
        for name, node in self.disk.items():
            (folder / name).write_bytes(self.files[node].disk)


def load(state: Path) -> Disk:
    return pickle.loads(state.read_bytes()) if state.exists() else Disk()


def save(disk: Disk, state: Path) -> None:
    state.write_bytes(pickle.dumps(disk))


class PowerDisk(mfusepy.Operations):  # type: ignore[misc]
    """The file system's face to the kernel."""

    use_ns = True

    def __init__(self, state: Path, seed: int) -> None:
        self._state = state
        self._disk = load(state)
        self._chance = random.Random(seed)

    def _file(self, path: str) -> File:
        node = self._disk.seen.get(path[1:])
        if node is None:
            raise mfusepy.FuseOSError(errno.ENOENT)
        return self._disk.files[node]

    def destroy(self, _path: str) -> None:
        self._disk.cut(self._chance)
        save(self._disk, self._state)

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2, "st_ino": 1}
        file = self._disk.files[fh] if fh and fh in self._disk.files else self._file(path)
        at = file.changed_ns
        size = len(file.seen)
        return {
            "st_mode": stat.S_IFREG | file.mode,
            "st_nlink": 1,
            "st_ino": file.node,
            "st_size": size,
            "st_blocks": -(-size // 512),
            "st_uid": os.getuid(),
            "st_gid": os.getgid(),
            "st_ctime": at,
            "st_mtime": at,
            "st_atime": at,
        }

    def readdir(self, _path: str, _fh: int) -> Any:
        return [".", "..", *self._disk.seen]

    def create(self, path: str, mode: int, _fi: Any = None) -> int:
        self._disk.create(path[1:], mode)
        return self._disk.seen[path[1:]]

    def open(self, path: str, _flags: int) -> int:
        return self._file(path).node

    def read(self, _path: str, size: int, offset: int, fh: int) -> bytes:
        return bytes(self._disk.files[fh].seen[offset : offset + size])

    def write(self, _path: str, data: bytes, offset: int, fh: int) -> int:
        self._disk.files[fh].write(offset, bytes(data))
        return len(data)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        (self._disk.files[fh] if fh else self._file(path)).write(length, None)
        return 0

    def unlink(self, path: str) -> int:
        self._file(path)
        self._disk.unlink(path[1:])
        return 0

    def rename(self, old: str, new: str) -> int:
        self._file(old)
        self._disk.rename(old[1:], new[1:])
        return 0

    def chmod(self, path: str, mode: int) -> int:
        self._file(path).mode = stat.S_IMODE(mode)
        return 0

    def chown(self, _path: str, _uid: int, _gid: int) -> int:
        return 0

    def utimens(self, _path: str, _times: Any = None) -> int:
        return 0

    def flush(self, _path: str, _fh: int) -> int:
        return 0

    def fsync(self, _path: str, _datasync: int, fh: int) -> int:
        self._disk.files[fh].sync()
        self._disk.sync_names()
        return 0

    def fsyncdir(self, _path: str, _datasync: int, _fh: int) -> int:
        self._disk.sync_names()
        return 0

    def statfs(self, _path: str) -> dict[str, int]:
        blocks = 1 << 20
        return {"f_bsize": 4096, "f_frsize": 4096, "f_blocks": blocks, "f_bfree": blocks, "f_bavail": blocks}


def mount(folder: str, state: str, seed: str) -> None:
    """Be the disk until it is unmounted; then the power is cut."""
    options = {"use_ino": True, "attr_timeout": 0, "entry_timeout": 0, "negative_timeout": 0}
    mfusepy.FUSE(PowerDisk(Path(state), int(seed)), folder, foreground=True, nothreads=True, **options)

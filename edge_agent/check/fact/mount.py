"""Which file system a folder is on."""

import os
import re
from pathlib import Path
from typing import NamedTuple

from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.text import is_there, read

_ESCAPE = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """A mounted file system; ``device`` is major:minor."""

    point: Path
    kind: str
    source: str
    device: str
    is_read_only: bool


def mount_of(scene: Scene, path: Path) -> Mount | None:
    """Find the mount that a path is on, whether the path exists yet or not. Source: proc_pid_mountinfo(5)."""
    wanted = Path(os.path.realpath(path))
    found: Mount | None = None
    for line in (read(scene.proc / "self/mountinfo") or "").splitlines():
        before, _, after = line.partition(" - ")
        left, right = before.split(), after.split()
        if len(left) < 6 or len(right) < 3:
            continue
        point = Path(_ESCAPE.sub(lambda code: chr(int(code.group(1), 8)), left[4]))
        # The last of those that cover the path longest is on top.
        if wanted.is_relative_to(point) and (found is None or len(point.parts) >= len(found.point.parts)):
            is_read_only = "ro" in left[5].split(",") or "ro" in right[2].split(",")
            found = Mount(point, right[0], right[1], left[2], is_read_only)
    return found


def nearest(path: Path) -> Path:
    """Give the path, or the nearest folder above it that there is."""
    for candidate in (path, *path.parents):
        if is_there(candidate):
            return candidate
    return Path("/")

"""The processes of this machine, by what /proc shows of them."""

from pathlib import Path

from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.text import is_there, listed, read


def processes(proc: Path) -> list[Path]:
    """List the processes' folders."""
    return [path for path in listed(proc) if path.name.isdecimal()]


def command_of(folder: Path) -> str:
    """Give a process's name."""
    return read(folder / "comm") or "?"


def arguments_of(folder: Path) -> list[str]:
    return [word for word in (read(folder / "cmdline") or "").split("\0") if word]


def named(proc: Path, names: frozenset[str]) -> list[tuple[int, str]]:
    """Find the processes of some names."""
    found = [(int(folder.name), command_of(folder)) for folder in processes(proc)]
    return [(pid, name) for pid, name in found if name in names]


def gateway_pid(scene: Scene) -> int | None:
    """Give the running gateway's process, as the lock of its store names it; None where none runs."""
    if scene.settings is None:
        return None
    text = read(scene.settings.store_path.with_name(scene.settings.store_path.name + ".lock"))
    if text is None or not text.isdecimal():
        return None
    # The file outlives its process, and the number may be another's by now.
    is_alive = is_there(scene.proc / text) and (scene.is_running or scene.silence is not None)
    return int(text) if is_alive else None

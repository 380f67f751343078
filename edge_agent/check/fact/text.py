"""Files looked at without a fault: one that is not there, or may not be read, is None."""

from pathlib import Path


def read(path: Path) -> str | None:
    """Read a small text file."""
    try:
        return path.read_bytes()[:1_048_576].decode(errors="replace").strip()
    except (OSError, ValueError):
        return None


def number(path: Path) -> int | None:
    """Read a file that holds one whole number."""
    text = read(path)
    try:
        return None if text is None else int(text, 0)
    except ValueError:
        return None


def listed(folder: Path) -> list[Path]:
    """List a folder in order; none where it cannot be listed."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def is_there(path: Path) -> bool:
    """Tell whether a path is there, as far as this account may see: what it may not see is not there for it."""
    try:
        return path.exists()
    except OSError:
        return False


def size(count: float) -> str:
    """Print a count of bytes as people say it."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count:.0f} B"


def share(part: float) -> str:
    return f"{part:.0%}"

"""Finding a typeface on this machine that has Chinese characters.

A collection (``.ttc``) has a face for each region, and they draw the same character differently; the
first of Noto Sans CJK is Japan's.
"""

import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from fontTools.ttLib import TTCollection, TTFont, TTLibError  # type: ignore[import-untyped]  # it has no types

FOLDERS = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path("~/.local/share/fonts").expanduser(),
    Path("~/.fonts").expanduser(),
)
# Regular faces, the best first, and the bold one beside each.
_WANTED: Mapping[str, str] = {
    "NotoSansCJK-Regular.ttc": "NotoSansCJK-Bold.ttc",
    "NotoSansCJKsc-Regular.otf": "NotoSansCJKsc-Bold.otf",
    "NotoSansSC-Regular.otf": "NotoSansSC-Bold.otf",
    "NotoSansSC-Regular.ttf": "NotoSansSC-Bold.ttf",
    "SourceHanSansSC-Regular.otf": "SourceHanSansSC-Bold.otf",
    "SourceHanSansCN-Regular.otf": "SourceHanSansCN-Bold.otf",
    "wqy-microhei.ttc": "wqy-microhei.ttc",
    "wqy-zenhei.ttc": "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf": "DroidSansFallbackFull.ttf",
}
# What the library raises for files of its own name and another content.
_BROKEN = (OSError, TTLibError, AssertionError, ValueError, KeyError, struct.error)
REMEDY = "Install one, on Debian: apt-get install fonts-noto-cjk (or fonts-wqy-microhei), or name a file with --font."


class FontMissing(Exception):
    """There is no typeface that has what is to be printed."""


class Face(NamedTuple):
    """One face of a font file."""

    file: Path
    number: int


class Faces(NamedTuple):
    regular: Face
    bold: Face


def find_faces(named: Path | None = None, folders: Sequence[Path] = FOLDERS) -> Faces | None:
    """Find a typeface with Chinese characters; None where this machine has none.

    Raises: FontMissing where ``named`` is no typeface.
    """
    if named is not None:
        try:
            face = _face(named)
        except _BROKEN:
            raise FontMissing(f"{named} is not a font file. Name a .ttf, .otf or .ttc file.") from None
        return Faces(face, face)
    there = {path.name: path for path in _files(folders)}
    for regular, bold in _WANTED.items():
        if regular not in there:
            continue
        try:
            face = _face(there[regular])
            return Faces(face, _face(there[bold]) if bold in there else face)
        except _BROKEN:
            continue  # a damaged file is as good as none
    return None


def _files(folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        for root, _, names in os.walk(folder):
            yield from (Path(root) / name for name in names if name in _WANTED or name in _WANTED.values())


def _face(file: Path) -> Face:
    """Choose the face of the simplified characters. Raises: one of _BROKEN."""
    if file.suffix.lower() not in (".ttc", ".otc"):
        TTFont(file, lazy=True).close()
        return Face(file, 0)
    with TTCollection(str(file), lazy=True) as collection:
        families = [str(font["name"].getDebugName(1) or "") for font in collection.fonts]
    return Face(file, next((index for index, family in enumerate(families) if family.endswith(" SC")), 0))

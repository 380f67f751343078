"""The engineer's language: English sentences, translated where they are shown.

A sentence is written once, in English, where its fault is known. ``locale/zh.toml`` has the same
sentence with {0}, {1} ... for what was filled in, so that no module between the fault and the
screen carries more than a text, and the text in a log, in JSON and at the centre stays one and
the same. What was filled in may be a sentence itself and is translated too.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

LANGUAGES = ("en", "zh")
# As glibc ranks them, ours first.
_VARIABLES = ("GATEHOUSE_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
_GAP = re.compile(r"\{(\w+)\}")
_DEEPEST = 4


class _Entry(NamedTuple):
    """A sentence of the catalogue; ``landmark`` is its longest fixed part, to find it quickly."""

    sentence: str
    translation: str
    landmark: str


def choose(environment: Mapping[str, str]) -> str:
    """Give the language that the environment asks for, English where it asks for none we have."""
    for name in _VARIABLES:
        if value := environment.get(name):
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def translate(text: str, language: str) -> str:
    """Give a sentence in a language; one that the catalogue lacks stays as it is."""
    return text if language == "en" else _translated(text, _catalogue(language), _DEEPEST)


def sentences(language: str) -> frozenset[str]:
    """Name the sentences of a catalogue, with their gaps."""
    return frozenset(_exact(language)) | {entry.sentence for entry in _catalogue(language)}


def _translated(text: str, entries: tuple[_Entry, ...], depth: int) -> str:
    if (exact := _exact("zh").get(text)) is not None:
        return exact
    for entry in entries if depth else ():
        if entry.landmark in text and (found := _pattern(entry.sentence).fullmatch(text)):
            filled = {key[1:]: _translated(value, entries, depth - 1) for key, value in found.groupdict().items()}
            return _GAP.sub(lambda gap: filled[gap.group(1)], entry.translation)  # noqa: B023  # used at once
    return text


@cache
def _pattern(sentence: str) -> re.Pattern[str]:
    seen: set[str] = set()

    def gap(found: re.Match[str]) -> str:
        number = found.group(1)
        if number in seen:
            return f"(?P=_{number})"
        seen.add(number)
        return f"(?P<_{number}>.*?)"

    # re.escape would hide the braces from the search for gaps, so the fixed parts are escaped one by one.
    pieces: list[str] = []
    end = 0
    for found in _GAP.finditer(sentence):
        pieces += [re.escape(sentence[end : found.start()]), gap(found)]
        end = found.end()
    return re.compile("".join([*pieces, re.escape(sentence[end:])]), re.DOTALL)


@cache
def _read(language: str) -> Mapping[str, str]:
    text = files("edge_agent").joinpath("locale", f"{language}.toml").read_text(encoding="utf-8")
    return {key: value for table in tomllib.loads(text).values() for key, value in table.items()}


@cache
def _exact(language: str) -> Mapping[str, str]:
    return {key: value for key, value in _read(language).items() if not _GAP.search(key)}


@cache
def _catalogue(language: str) -> tuple[_Entry, ...]:
    """Give the sentences with gaps, those with the most fixed text first: they say the most."""
    entries = [
        _Entry(key, value, max(_GAP.split(key)[::2], key=len)) for key, value in _read(language).items() if "{" in key
    ]
    return tuple(sorted(entries, key=lambda entry: -len(_GAP.sub("", entry.sentence))))

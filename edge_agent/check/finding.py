"""What a check says: a sentence in both languages, how bad it is, and what to do about it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from edge_agent.check.fact.scene import Scene
from edge_agent.speech import translate


class Level(Enum):
    """How bad it is; a note is worth knowing and asks for nothing now."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    FAILURE = "failure"


class Sentence(NamedTuple):
    """One sentence in both languages; {names} stand for what is filled in."""

    en: str
    zh: str

    def fill(self, **values: object) -> "Sentence":
        """Fill the gaps; what is filled in may be a sentence of the catalogue or one of ours."""
        english = {key: value.en if isinstance(value, Sentence) else value for key, value in values.items()}
        chinese = {key: _chinese(value) for key, value in values.items()}
        return Sentence(self.en.format(**english), self.zh.format(**chinese))

    def within(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found; a warning and a failure have a remedy."""

    level: Level
    text: Sentence
    remedy: Sentence | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One question to the gateway's surroundings; ``run`` only looks and changes nothing."""

    name: str
    title: Sentence
    run: Callable[[Scene], Iterable[Finding]]


def ok(text: Sentence, /, **values: object) -> Finding:
    return Finding(Level.OK, text.fill(**values))


def note(text: Sentence, remedy: Sentence | None = None, /, **values: object) -> Finding:
    return Finding(Level.NOTE, text.fill(**values), None if remedy is None else remedy.fill(**values))


def warning(text: Sentence, remedy: Sentence, /, **values: object) -> Finding:
    return Finding(Level.WARNING, text.fill(**values), remedy.fill(**values))


def failure(text: Sentence, remedy: Sentence, /, **values: object) -> Finding:
    return Finding(Level.FAILURE, text.fill(**values), remedy.fill(**values))


def foreign(sentence: str) -> Sentence:
    """Give a sentence of another module, which the catalogue translates."""
    return Sentence(sentence, translate(sentence, "zh"))


def _chinese(value: object) -> object:
    if isinstance(value, Sentence):
        return value.zh
    # A path or a number is no sentence; looking it up costs a walk through the catalogue.
    return translate(value, "zh") if isinstance(value, str) and " " in value else value

"""Take secrets out of what leaves the gateway: those that are known by value, and those that look like one.

Pure: settings come as the TOML parser's data, texts as texts.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

LEFT_OUT = "(left out)"
_SECRET_KEY = re.compile(r"secret|passw|pwd|token|credential|(^|_)(key|pin|code|psk|auth)s?($|_)", re.IGNORECASE)
_FILE_NAME = re.compile(r"[./][\w.-]*\.(secret|key|pem|crt|txt|hex)$|^[\w-]+\.(secret|key|pem|crt|txt|hex)$")
_USER_INFO = re.compile(r"(?<=://)[^/\s@\"']+(?=@)")
_NAMED = re.compile(
    r"(?P<name>[\w-]*(?:secret|passw(?:or)?d|token|api[_-]?key|psk)[\w-]*)(?P<is>\"?\s*[=:]\s*\"?)(?P<value>[^\s\",;]+)",
    re.IGNORECASE,
)
_AUTHORIZATION = re.compile(r"(?P<head>\b(?:Bearer|Basic|Gateway)\s+)(?P<value>[\w:.~+/=-]{6,})")
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
# A shorter text stands for too many other things to be taken out wherever it occurs.
_SHORTEST = 4


def redact_settings(data: Mapping[str, Any], is_file: Mapping[str, bool]) -> tuple[dict[str, Any], list[str]]:
    """Give settings without their secrets, and every text that was taken out.

    Shape: ``is_file`` tells of each value of a ``..._file`` key whether it names a file that is there: where it
    does not and does not look like one either, somebody may have written the secret itself.
    """
    taken: list[str] = []

    def clean(key: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: clean(name, inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [clean(key, inner) for inner in value]
        if key.endswith("_file") and (is_file.get(str(value), False) or _FILE_NAME.search(str(value))):
            return value
        if _SECRET_KEY.search(key) and not isinstance(value, bool):
            taken.append(str(value))
            return LEFT_OUT
        if isinstance(value, str):
            for found in _USER_INFO.findall(value):
                taken.extend((found, found.partition(":")[2]))
            return _USER_INFO.sub(LEFT_OUT, value)
        return value

    return {key: clean(key, value) for key, value in data.items()}, taken


class Scrubber:
    """Removes known secrets, and what looks like one, from texts and documents."""

    def __init__(self, secrets: Iterable[str]) -> None:
        pieces = {piece.strip() for secret in secrets for piece in (secret, *secret.splitlines())}
        self._known = frozenset(piece for piece in pieces if len(piece) >= _SHORTEST)
        longest_first = sorted(self._known, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE) if self._known else None
        self.count = 0

    def text(self, text: str, *, is_foreign: bool = False) -> str:
        """Give a text without secrets; in a foreign one, as a log, everything that is named as one goes too."""
        if self._pattern is not None:
            text = self._counted(self._pattern, lambda _: LEFT_OUT, text)
        text = self._counted(_PEM, lambda _: LEFT_OUT, text)
        text = self._counted(_USER_INFO, lambda _: LEFT_OUT, text)
        text = self._counted(_AUTHORIZATION, lambda found: found["head"] + LEFT_OUT, text)
        if is_foreign:
            text = self._counted(_NAMED, lambda found: f"{found['name']}{found['is']}{LEFT_OUT}", text)
        return text

    def document(self, value: Any) -> Any:
        """Give a JSON document without secrets, whole as a document."""
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.document(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.document(inner) for inner in value]
        if isinstance(value, str):
            return self.text(value)
        if value is not None and not isinstance(value, bool) and str(value) in self._known:
            self.count += 1
            return LEFT_OUT
        return value

    def _counted(self, pattern: re.Pattern[str], give: Callable[[re.Match[str]], str], text: str) -> str:
        text, count = pattern.subn(give, text)
        self.count += count
        return text

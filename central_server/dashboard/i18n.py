"""Languages: English msgids, catalogues read from their .po files at start, nothing compiled in the repository."""

import io
from dataclasses import dataclass
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from babel.core import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LOCALE = Path(__file__).parent.parent / "locale"


@dataclass(frozen=True, slots=True)
class Language:
    """One language of the pages; ``tag`` is its name in HTML, ``own_name`` in itself."""

    code: str
    tag: str
    own_name: str
    locale: Locale
    translations: NullTranslations

    def gettext(self, message: str) -> str:
        return self.translations.gettext(message)

    def ngettext(self, one: str, many: str, number: int) -> str:
        return self.translations.ngettext(one, many, number)


def N_(message: str) -> str:  # noqa: N802  # the name by which gettext's tools find a text that is translated later
    """Mark a text for translation where it stands in a table."""
    return message


@cache
def languages() -> dict[str, Language]:
    """Give the languages by their code, the first one first in menus."""
    chinese = Language("zh", "zh-CN", "中文", Locale("zh", "CN", "Hans"), _catalogue("zh_CN"))
    # British forms put the day before the month and count to 24, as the logs beside the screen do.
    english = Language("en", "en", "English", Locale("en", "GB"), NullTranslations())
    return {each.code: each for each in (chinese, english)}


def _catalogue(name: str) -> GNUTranslations:
    """Put a language's catalogues together, one file a slice."""
    whole: Catalog = Catalog(locale=name)
    for source in sorted((LOCALE / name / "LC_MESSAGES").glob("*.po")):
        with source.open("rb") as file:
            part = read_po(file, locale=name)
        whole.header_comment, whole.mime_headers = part.header_comment, part.mime_headers
        for message in part:
            if message.id:
                whole[message.id] = message
    compiled = io.BytesIO()
    write_mo(compiled, whole)
    compiled.seek(0)
    return GNUTranslations(compiled)


def preferred(header: str, default: str) -> str:
    """Choose a language by an Accept-Language header."""
    known = languages()
    wishes: list[tuple[float, str]] = []
    for part in header.split(","):
        tag, _, weight = part.strip().partition(";q=")
        code = tag.split("-")[0].lower()
        if code in known:
            wishes.append((_weight(weight), code))
    return max(wishes, key=lambda wish: wish[0])[1] if wishes else default


def _weight(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0

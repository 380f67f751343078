"""Every text a person can meet exists in both languages."""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import central_server
from central_server import form
from central_server.dashboard.i18n import LOCALE

ROOT = Path(central_server.__file__).parent
CATALOGUES = sorted((LOCALE / "zh_CN" / "LC_MESSAGES").glob("*.po"))
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "N_": None}
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]
OPTIONS = {"templates/**.html": {"trimmed": "true", "silent": "false", "newstyle_gettext": "true"}}

# Errors of a kind that a page can show; those of the command line and the gateways' protocol stay English.
PAGE_ERRORS = {
    "CentralError",
    "BadRequest",
    "NotSignedIn",
    "Forbidden",
    "NotFound",
    "Conflict",
    "TooLarge",
    "TooMany",
    "Busy",
}
SILENT = (
    "sync",
    "telemetry",
    "devices",
    "migrations",
    "config",
    "context",
    "crypto",
    "db",
    "migrate",
    "cli",
    "app",
)
COMMANDS = {"no_site_code", "no_person_code", "login_form", "login_taken", "no_account", "password_length"}


def page_texts() -> set[str | tuple[str, ...]]:
    return {
        message
        for _file, _line, message, _comments, _context in extract_from_dir(
            ROOT, method_map=METHODS, options_map=OPTIONS, keywords=KEYWORDS, strip_comment_tags=True
        )
    }


def error_texts() -> Iterator[str]:
    """Find the texts of errors raised where pages can meet them, also those kept in a variable before."""
    for path in ROOT.rglob("*.py"):
        parts = {*path.relative_to(ROOT).parts[:-1], path.stem}
        if parts & set(SILENT) or path.name == "commands.py":  # of the command line, and no folder of that name
            continue
        tree = ast.parse(path.read_text())
        kept = {
            target.id: node.value.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            yield from _of_call(node, kept)


def _of_call(node: ast.AST, kept: Mapping[str, str]) -> Iterator[str]:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
        return
    name = node.func.id
    if name in ("Problem", "FieldError"):
        yield from _text(node.args[0], kept)
    elif name == "_from_http" and len(node.args) > 2:
        yield from _text(node.args[2], kept)
    elif name in PAGE_ERRORS and len(node.args) > 1:
        key = node.args[0]
        if not (isinstance(key, ast.Constant) and key.value in COMMANDS):
            yield from _text(node.args[1], kept)


def _text(node: ast.expr, kept: Mapping[str, str]) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.Name) and node.id in kept:
        yield kept[node.id]


def wanted() -> set[str]:
    found = {message if isinstance(message, str) else message[0] for message in page_texts()} | set(error_texts())
    # This one is built from a variable at the request boundary.
    found |= {
        "Something here failed and was written to the server's log. Try again; if it stays, report trace {trace}."
    }
    found |= {"Some fields need another look."}
    found |= {*form._TEXTS.values(), *form._KINDS.values(), "This cannot be used."}
    return found - {""}


def part(path: Path) -> dict[str, tuple[str, ...]]:
    with path.open("rb") as file:
        read = read_po(file, locale="zh_CN")
    return {
        (each.id if isinstance(each.id, str) else each.id[0]): (
            (each.string,) if isinstance(each.string, str) else tuple(each.string or ())
        )
        for each in read
        if each.id
    }


def catalogue() -> dict[str, tuple[str, ...]]:
    return {text: translation for path in CATALOGUES for text, translation in part(path).items()}


def test_a_text_is_translated_in_one_place() -> None:
    places = Counter(text for path in CATALOGUES for text in part(path))
    assert [text for text, count in places.items() if count > 1] == []


def test_every_text_has_a_chinese_translation() -> None:
    known = catalogue()
    assert sorted(text for text in wanted() if not any(known.get(text, ()))) == []


def test_the_catalogue_holds_nothing_that_no_page_says() -> None:
    assert sorted(set(catalogue()) - wanted()) == []


def fields(text: str) -> set[str]:
    return set(re.findall(r"%\((\w+)\)s", text)) | {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("text", sorted(catalogue()))
def test_a_translation_has_the_fields_of_its_text(text: str) -> None:
    for translation in catalogue()[text]:
        assert fields(translation) == fields(text)


def test_chinese_texts_use_chinese_marks() -> None:
    """Between Han characters the comma, colon and full stop are the wide ones."""
    narrow = re.compile(r"[一-鿿][,;:?!]")
    assert [text for each in catalogue().values() for text in each if narrow.search(text)] == []

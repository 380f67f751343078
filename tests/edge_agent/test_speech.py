"""Every sentence that the gateway's commands can say, and its Chinese."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.speech import choose, sentences, translate

ROOT = Path(__file__).parents[2]
# The simulator's own words are for whoever builds a site, its address pool and the like.
LEFT = ("drivers/sim/", "edge_agent/commands/sim.py", "edge_agent/check/")
FILE = re.compile(r"# \{0\}\n|title = ")  # what is written into files
SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|PRAGMA|\(\?)")
# Parts that only join, and what only a log or a programmer is told.
JOINTS = frozenset(
    {
        " or ",
        " and ",
        "{0} to {1}",
        "Value error, ",
        "[bold]{0}[/]  {1}  epoch {2}",
        "edge: {0}: {1}",
        '\n[uplink]\nurl = "{0}"',
        "{0} / {nb}",
        "   {0} {1} ms",
    }
)
LOGGED = frozenset(
    {"a question has at least one try", "store: a request could not be served", "uplink: a fault in this program"}
)


def gaps(node: ast.AST) -> str | None:
    """Give a text with {0}, {1} ... for what is filled in, as the catalogue has it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return None
    numbers = iter(range(100))
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else f"{{{next(numbers)}}}" for part in node.values
    )


def silent(node: ast.AST) -> list[ast.AST]:
    """Give what of a node is never shown as a sentence: docstrings, help, logs, patterns, SQL, assertions."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return list(ast.walk(node.body[0])) if node.body and isinstance(node.body[0], ast.Expr) else []
    if isinstance(node, ast.JoinedStr):
        return [inner for part in node.values for inner in ast.walk(part)]
    if isinstance(node, ast.keyword) and node.arg in ("help", "metavar", "format"):
        return list(ast.walk(node))
    if isinstance(node, ast.Assert):
        return list(ast.walk(node))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Sentence":
        return list(ast.walk(node))  # it has its Chinese beside it
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return []
    of = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
    is_hidden = of in ("log", "logging", "re") or node.func.attr in ("execute", "executemany")
    return list(ast.walk(node)) if is_hidden else []


def said(path: Path) -> Iterator[str]:
    """Give every text of three words and more that a module can show."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    hidden = {id(inner) for node in nodes for inner in silent(node)}
    for node in nodes:
        text = None if id(node) in hidden else gaps(node)
        is_shown = text is not None and not SQL.match(text) and not FILE.match(text) and "%s" not in text
        if text and is_shown and text.count(" ") >= 2 and re.search("[a-z]{2}", text):
            yield text


def modules() -> list[Path]:
    found = [*(ROOT / "drivers").rglob("*.py"), *(ROOT / "edge_agent").rglob("*.py"), ROOT / "protocols" / "toml.py"]
    return [path for path in found if not path.relative_to(ROOT).as_posix().startswith(LEFT)]


def test_every_sentence_has_its_chinese() -> None:
    known = sentences("zh") | JOINTS | LOGGED
    missing = {
        text: path.name
        for path in modules()
        for text in said(path)
        if text.strip(" :,;{}0123456789") and text not in known
    }
    assert not missing


def test_no_translation_loses_or_invents_what_is_filled_in() -> None:
    for sentence in sentences("zh"):
        filled = re.sub(r"\{(\w+)\}", r"<\1>", sentence)
        wanted = set(re.findall(r"\{(\w+)\}", sentence))
        told = translate(filled, "zh")
        assert set(re.findall(r"<(\w+)>", told)) == wanted, sentence


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("unit 7 refuses (exception 2: illegal data address)", "单元 7 拒绝（异常码 2：illegal data address）"),
        (
            "The serial port /dev/ttyUSB0 is in use by another program. Stop it, or give this bus another port.",
            "串口 /dev/ttyUSB0 正被另一个程序占用。请停止该程序，或给此总线换一个串口。",
        ),
        ("'door-1' was not opened: no answer within 0.5 s", "“door-1”没有打开：0.5 秒内没有应答"),
        ("there is no such sentence anywhere", "there is no such sentence anywhere"),
    ],
)
def test_a_sentence_is_told_in_chinese_with_what_it_was_filled_with(english: str, chinese: str) -> None:
    assert translate(english, "zh") == chinese
    assert translate(english, "en") == english


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "C", "GATEHOUSE_LANG": "zh"}, "zh"),
        ({"LC_ALL": "", "LANG": "zh_CN"}, "zh"),
    ],
)
def test_the_environment_chooses_the_language(environment: dict[str, str], language: str) -> None:
    assert choose(environment) == language

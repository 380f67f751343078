"""Whether Python and SQLite are new enough."""

from collections.abc import Iterator

from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Sentence, failure, ok

_OLDEST_PYTHON = (3, 11)
_OLDEST_SQLITE = (3, 37, 0)  # the first with STRICT tables
_GOOD = Sentence(
    "Gatehouse {version}, Python {python}, SQLite {sqlite}.",
    "版本：Gatehouse {version}，Python {python}，SQLite {sqlite}。",
)
_OLD = Sentence(
    "{what} {found} is too old; {wanted} is the oldest that will do.", "{what} {found} 太旧；最低需要 {wanted}。"
)
_UPDATE = Sentence("Install a newer {what}, or a newer system.", "请安装较新的 {what}，或升级系统。")


def _run(scene: Scene) -> Iterator[Finding]:
    tables = (("Python", scene.python, _OLDEST_PYTHON), ("SQLite", scene.sqlite, _OLDEST_SQLITE))
    old = [row for row in tables if row[1] < row[2]]
    for what, found, wanted in old:
        yield failure(_OLD, _UPDATE, what=what, found=_dotted(found), wanted=_dotted(wanted))
    if not old:
        yield ok(_GOOD, version=scene.version, python=_dotted(scene.python), sqlite=_dotted(scene.sqlite))


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))


CHECK = Check("versions", Sentence("Versions", "版本"), _run)

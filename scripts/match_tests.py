"""Name every module without a test beside it.

A module ``a/b/c.py`` has its test where ``tests/a/b`` (or ``tests/a/test_b.py``) imports it, or
imports a module that stands on it directly or at one remove: a detail is tested through what
uses it, but no further, and never from another room's tests.
"""

import ast
import re
import sys
from pathlib import Path

import grimp

PACKAGES = ("protocols", "drivers", "edge_agent", "central_server")
REMOVES = 2
# The tables are held against the migrations, all of them in one test.
EXEMPT = re.compile(r"(^|\.)(__main__|(migrations|schema)(\..*)?)$")


def imported(test: Path, modules: set[str]) -> set[str]:
    """Give the modules of ours that a test file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(test.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found & modules


def untested(root: Path) -> list[str]:
    sys.path.insert(0, str(root))
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    packages = {
        ".".join(path.parent.relative_to(root).parts)
        for name in PACKAGES
        for path in (root / name).rglob("__init__.py")
    }
    modules = {name for name in graph.modules if name not in packages and not EXEMPT.search(name)}
    reached: dict[Path, set[str]] = {}
    for test in (root / "tests").rglob("*.py"):
        # A package's own module may be what a test goes through: a registry of the modules beside it.
        direct = imported(test, modules | packages)
        near = set(direct)
        for _ in range(REMOVES):
            near |= {name for module in near for name in graph.find_modules_directly_imported_by(module)}
        reached.setdefault(test.parent, set()).update(near)
        if test.name.startswith("test_"):
            reached.setdefault(test.with_suffix("").with_name(test.stem.removeprefix("test_")), set()).update(near)
    missing = []
    for module in sorted(modules):
        room = root / "tests" / Path(*module.split(".")[:-1])
        if module not in reached.get(room, set()):
            missing.append(module)
    return missing


if __name__ == "__main__":
    found = untested(Path(__file__).resolve().parent.parent)
    for module in found:
        print(f"{module}: no test in tests/{'/'.join(module.split('.')[:-1])} reaches this module")
    sys.exit(bool(found))

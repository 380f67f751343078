"""Name every module without a test beside it.

A module ``a/b/c.py`` is tested by ``tests/a/b/test_c.py`` or, where a folder is tested as a
whole, by ``tests/a/test_b.py`` or any ``tests/a/b/test_*.py`` that imports it by name.
"""

import re
import sys
from pathlib import Path

PACKAGES = ("protocols", "drivers", "edge_agent", "central_server")
EXEMPT = re.compile(r"(__init__|__main__)\.py$|/migrations/")


def untested(root: Path) -> list[str]:
    tests = {path: path.read_text() for path in (root / "tests").rglob("test_*.py")}
    missing = []
    for package in PACKAGES:
        for module in sorted((root / package).rglob("*.py")):
            relative = module.relative_to(root)
            if EXEMPT.search(relative.as_posix()) or (root / "tests" / relative.parent / f"test_{relative.name}") in tests:
                continue
            dotted = ".".join(relative.with_suffix("").parts)
            parent, name = dotted.rsplit(".", 1)
            named = re.compile(rf"\b{re.escape(dotted)}\b|from {re.escape(parent)} import [^\n]*\b{name}\b")
            if not any(named.search(text) for text in tests.values()):
                missing.append(relative.as_posix())
    return missing


if __name__ == "__main__":
    found = untested(Path(__file__).resolve().parent.parent)
    for path in found:
        print(f"{path}: no test names this module; add tests/{Path(path).parent}/test_{Path(path).name}")
    sys.exit(bool(found))

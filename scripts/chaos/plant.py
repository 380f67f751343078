"""Plant one fault after the other into a copy of the source, and see that the tests find it.

Each ``faults/NN-name.patch`` is a small fault that could have been made. Its first lines say what it is and which
tests have to fail:

    Fault: the gateway asks for one batch only
    Tests: tests/edge_agent/test_sync.py -k window

A fault counts as caught where these tests pass without it and fail by an assertion with it; what cannot
even be imported proves nothing.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from scripts.chaos.nursery import ROOT

FOLDER = Path(__file__).with_name("faults")
_SECONDS = 180
_ASSERTION = re.compile(r"^E .*(\bassert\b|AssertionError|DID NOT RAISE)", re.MULTILINE)
_NOT_A_FAILURE = re.compile(r"ImportError|ModuleNotFoundError|SyntaxError|IndentationError")


def tests_of(patch: Path) -> list[str]:
    """Read which tests a patch names."""
    found = re.search(r"^Tests: (.+)$", patch.read_text(), re.MULTILINE)
    return found[1].split() if found else []


def fault_of(patch: Path) -> str:
    found = re.search(r"^Fault: (.+)$", patch.read_text(), re.MULTILINE)
    return found[1] if found else patch.stem


def copy_source(folder: Path) -> None:
    """Copy what belongs to the source, as it stands."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def _run(folder: Path, tests: list[str]) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--tb=short", *tests]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(folder)}
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return -1, "the tests did not end"
    return done.returncode, done.stdout.decode(errors="replace")


def _apply(folder: Path, patch: Path, *how: str) -> str:
    # Without this, git looks for a repository above and then finds nothing to change.
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    command = ["git", "apply", *how, str(patch)]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    ).stderr.strip()


def plant(patches: list[Path]) -> dict[str, Any]:
    """Plant each; give which were seen."""
    started = time.monotonic()
    caught: list[str] = []
    failed: list[str] = []
    clean: dict[tuple[str, ...], str | None] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "source"
        folder.mkdir()
        copy_source(folder)
        for patch in patches:
            tests = tests_of(patch)
            key = tuple(tests)
            if key not in clean:
                code, text = _run(folder, tests)
                clean[key] = None if code == 0 else f"the tests fail without it:\n{text[-1500:]}"
            reason = clean[key] or _apply(folder, patch) or _seen(folder, tests)
            if clean[key] is None:
                _apply(folder, patch, "-R")
            (caught if reason is None else failed).append(patch.stem)
            print(f"{'caught' if reason is None else 'NOT CAUGHT'}  {patch.stem}: {fault_of(patch)}", file=sys.stderr)
            if reason is not None:
                print(reason, file=sys.stderr)
    return {
        "faults": len(patches),
        "caught": len(caught),
        "failed": failed,
        "seconds": round(time.monotonic() - started, 1),
    }


def _seen(folder: Path, tests: list[str]) -> str | None:
    """Say why the tests have not seen a fault, None where they have."""
    code, text = _run(folder, tests)
    if code == 0:
        return "the tests pass with it"
    if code != 1 or not _ASSERTION.search(text) or _NOT_A_FAILURE.search(text):
        return f"the tests fail, but not by what they look for:\n{text[-1500:]}"
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("only", nargs="*", help="numbers of faults, such as 07 (default: all)")
    parser.add_argument("--json", action="store_true", help="print the last line only")
    options = parser.parse_args()
    patches = sorted(FOLDER.glob("*.patch"))
    if options.only:
        patches = [each for each in patches if each.stem.split("-")[0] in options.only]
    found = plant(patches)
    print(json.dumps(found))
    raise SystemExit(1 if found["failed"] else 0)


if __name__ == "__main__":
    main()

"""Start processes quickly: each is forked from one that has imported the product, and dies with it.

Python needs most of a second to import the product. A thousand kills are to be spent on what is under
test, so that most starts skip the imports; some in every campaign are cold all the same.
"""

import asyncio
import contextlib
import ctypes
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


class Process:
    """A process of ours, held by a descriptor, so that no other is ever hit."""

    def __init__(self, pid: int, child: "subprocess.Popen[bytes] | None" = None) -> None:
        self.pid = pid
        self._child = child
        try:
            self._descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            self._descriptor = -1

    def is_alive(self) -> bool:
        return self._descriptor >= 0 and not select.select([self._descriptor], [], [], 0)[0]

    def end(self, number: signal.Signals = signal.SIGKILL, seconds: float = 60) -> None:
        """Send a signal and wait until the process is gone."""
        if self.is_alive():
            signal.pidfd_send_signal(self._descriptor, number)
        self.wait(seconds)

    def wait(self, seconds: float = 60) -> None:
        if self._descriptor >= 0:
            if not select.select([self._descriptor], [], [], seconds)[0]:
                raise TimeoutError(f"process {self.pid} does not end")
            os.close(self._descriptor)
            self._descriptor = -1
        if self._child is not None:
            self._child.wait()


class Nursery:
    """Forks processes that run ``module:function(*texts)``."""

    def __init__(self, *modules: str) -> None:
        command = [sys.executable, "-m", "scripts.chaos.nursery", *modules]
        self._mother = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        assert self._mother.stdin is not None
        assert self._mother.stdout is not None
        self._ask, self._answer = self._mother.stdin, self._mother.stdout
        self._answer.readline()  # it has imported all

    def fork(self, target: str, *words: str, log: Path) -> Process:
        self._ask.write(json.dumps([target, str(log), *words]).encode() + b"\n")
        return Process(int(self._answer.readline()))

    def close(self) -> None:
        self._ask.close()
        self._mother.wait()
        self._answer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def nursery_of(given: Nursery | None, *modules: str) -> contextlib.AbstractContextManager[Nursery]:
    """Take a nursery that is there, or one of its own for as long as it is needed."""
    return Nursery(*modules) if given is None else contextlib.nullcontext(given)


def cold(*words: str, log: Path) -> Process:
    """Start ``python -m ...`` from nothing."""
    with log.open("ab") as file:
        child = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )
    return Process(child.pid, child)


def until(condition: Callable[[], Any], seconds: float, what: str) -> float:
    """Look again and again until something is so; give how long it took. Raises: TimeoutError."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"{what} did not happen within {seconds:g} s")
        time.sleep(0.002)
    return time.monotonic() - began


async def when(condition: Callable[[], bool], pause_s: float = 0.05) -> None:
    """Look again and again until something is so."""
    while True:
        if condition():
            return
        await asyncio.sleep(pause_s)


def _mother() -> None:
    for module in sys.argv[1:]:
        importlib.import_module(module)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are cleared away by the system
    os.write(1, b"ready\n")
    for line in sys.stdin.buffer:
        target, log, *words = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _child(target, log, words)
        os.write(1, b"%d\n" % pid)


def _child(target: str, log: str, words: list[str]) -> None:
    code = 1
    try:
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open("/dev/null", os.O_RDONLY)
        for number, at in ((nothing, 0), (descriptor, 1), (descriptor, 2)):
            os.dup2(number, at)
        module, _, function = target.partition(":")
        getattr(importlib.import_module(module), function)(*words)
        code = 0
    except SystemExit as end:
        code = int(end.code or 0) if isinstance(end.code, int | None) else 1
    except BaseException:  # noqa: BLE001 - the end of a process: whatever it was stands in its log
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _mother()

"""Work that may hang, in threads that nobody waits for longer than agreed."""

import threading
from collections.abc import Callable, Hashable, Mapping
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


def together(
    jobs: Mapping[K, Callable[[], T]], seconds: float, done: Callable[[K], None] = lambda key: None
) -> dict[K, T | Exception]:
    """Run jobs at one time and give what each returned or raised; one that is not ready in time is left out.

    A thread cannot be ended from outside, so one that hangs in the kernel stays behind and ends with the program.
    """
    ready: SimpleQueue[tuple[K, T | Exception]] = SimpleQueue()

    def work(key: K, job: Callable[[], T]) -> None:
        try:
            ready.put((key, job()))
        except Exception as error:  # noqa: BLE001 - the job's boundary: whoever asked judges it
            ready.put((key, error))

    for key, job in jobs.items():
        threading.Thread(target=work, args=(key, job), daemon=True, name=f"look {key}").start()
    until = monotonic() + seconds
    found: dict[K, T | Exception] = {}
    while len(found) < len(jobs) and (left := until - monotonic()) > 0:
        try:
            key, result = ready.get(timeout=left)
        except Empty:
            break
        found[key] = result
        done(key)
    return found

"""Whether the machine has memory left."""

from collections.abc import Iterator

from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.text import read, size
from edge_agent.check.finding import Check, Finding, Sentence, failure, ok, warning

_ENOUGH, _LEAST = 150_000_000, 50_000_000
_GOOD = Sentence("{free} of {total} memory are free.", "内存 {total}，可用 {free}。")
_LITTLE = Sentence("Only {free} of {total} memory are free.", "内存 {total}，仅剩 {free}。")
_STOP = Sentence(
    "See what takes it (ps aux --sort=-rss | head) and stop what is not needed here.",
    "请查看占用者（ps aux --sort=-rss | head），并停止这里不需要的程序。",
)


def _run(scene: Scene) -> Iterator[Finding]:
    found = {}
    for line in (read(scene.proc / "meminfo") or "").splitlines():
        name, _, rest = line.partition(":")
        if rest.split()[:1] and rest.split()[0].isdecimal():
            found[name] = int(rest.split()[0]) * 1024
    free = found.get("MemAvailable")
    if free is None:
        return
    words = {"free": size(free), "total": size(found.get("MemTotal", 0))}
    if free < _LEAST:
        yield failure(_LITTLE, _STOP, **words)
    else:
        yield warning(_LITTLE, _STOP, **words) if free < _ENOUGH else ok(_GOOD, **words)


CHECK = Check("memory", Sentence("Memory", "内存"), _run)

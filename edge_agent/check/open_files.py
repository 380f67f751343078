"""Whether the gateway may open as many files and connections as its lines need."""

import resource
from collections.abc import Iterator

from edge_agent.check.fact.process import gateway_pid
from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.text import read
from edge_agent.check.finding import Check, Finding, Sentence, ok, warning

# The store, the log, the loop and the socket, and a command beside them.
_OWN = 64
_LEAST = 256
_GOOD = Sentence(
    "The gateway may have {limit} files open; it needs about {need}.",
    "网关最多可打开 {limit} 个文件；大约需要 {need} 个。",
)
_LOW = Sentence(
    "The gateway may have only {limit} files open; it needs about {need}.",
    "网关最多只能打开 {limit} 个文件；大约需要 {need} 个。",
)
_RAISE = Sentence(
    "Raise it: LimitNOFILE=4096 in the service's unit, or ulimit -n 4096 before 'edge run'.",
    "请提高上限：在服务单元中写 LimitNOFILE=4096，或在“edge run”之前执行 ulimit -n 4096。",
)


def _run(scene: Scene) -> Iterator[Finding]:
    limit = _limit(scene)
    if limit is None:
        return
    need = max(_LEAST, _OWN + 4 * len(scene.buses))
    yield warning(_LOW, _RAISE, limit=limit, need=need) if limit < need else ok(_GOOD, limit=limit, need=need)


def _limit(scene: Scene) -> int | None:
    """Give the running gateway's limit, or ours: it is what a gateway started here would have."""
    pid = gateway_pid(scene)
    if pid is None:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return None if soft == resource.RLIM_INFINITY else soft
    for line in (read(scene.proc / str(pid) / "limits") or "").splitlines():
        if line.startswith("Max open files"):
            soft_text = line.split()[3]
            return int(soft_text) if soft_text.isdecimal() else None
    return None


CHECK = Check("open-files", Sentence("Open files", "打开文件数"), _run)

"""Whether a service runs that talks to every new serial adapter."""

from collections.abc import Iterator

from edge_agent.check.fact.process import named
from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Sentence, ok, warning

_REMEDIES = {
    "ModemManager": Sentence(
        "Switch it off where there is no modem: systemctl disable --now ModemManager",
        "没有调制解调器时请关闭它：systemctl disable --now ModemManager",
    ),
    "brltty": Sentence(
        "Remove it where nobody reads braille here: apt-get remove brltty",
        "这里无人使用盲文显示器时请卸载它：apt-get remove brltty",
    ),
}
_GOOD = Sentence("No service runs that grabs serial adapters.", "没有会抢占串口适配器的服务在运行。")
_RUNS = Sentence(
    "{name} (process {pid}) runs: it tries every serial adapter that is plugged in, and may keep it.",
    "{name}（进程 {pid}）正在运行：它会试探每个插上的串口适配器，并可能一直占用。",
)


def _run(scene: Scene) -> Iterator[Finding]:
    if not scene.ports():
        return
    found = named(scene.proc, frozenset(_REMEDIES))
    for pid, name in found:
        yield warning(_RUNS, _REMEDIES[name], name=name, pid=pid)
    if not found:
        yield ok(_GOOD)


CHECK = Check("port-grabber", Sentence("Services that grab ports", "抢占串口的服务"), _run)

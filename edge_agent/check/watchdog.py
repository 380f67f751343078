"""Whether the machine starts again by itself when it hangs."""

from collections.abc import Iterator

from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.text import listed, read
from edge_agent.check.finding import Check, Finding, Sentence, note, ok

_GOOD = Sentence(
    "A watchdog ({name}) starts the machine again when it hangs.", "看门狗（{name}）会在机器死机时重启它。"
)
_IDLE = Sentence(
    "The machine has a watchdog ({name}) that nobody uses: if it hangs, somebody has to drive there.",
    "本机有看门狗（{name}）但没有启用：一旦死机，就得有人到现场。",
)
_USE = Sentence(
    "Set RuntimeWatchdogSec=15s in /etc/systemd/system.conf and start the machine again.",
    "请在 /etc/systemd/system.conf 中设 RuntimeWatchdogSec=15s，然后重启机器。",
)
_NONE = Sentence("The machine has no watchdog.", "本机没有看门狗。")


def _run(scene: Scene) -> Iterator[Finding]:
    found = listed(scene.sys / "class/watchdog")
    if not found:
        yield note(_NONE)
    elif active := [path.name for path in found if read(path / "state") == "active"]:
        yield ok(_GOOD, name=active[0])
    else:
        yield note(_IDLE, _USE, name=found[0].name)


CHECK = Check("watchdog", Sentence("Watchdog", "看门狗"), _run)

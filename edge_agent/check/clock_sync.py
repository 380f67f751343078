"""Whether a time service keeps this machine's clock."""

from collections.abc import Iterator

from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.text import is_there
from edge_agent.check.finding import Check, Finding, Sentence, note, ok, warning

_GOOD = Sentence("A time service keeps the clock right.", "时间服务正在校准时钟。")
_FREE = Sentence(
    "No time service keeps the clock: readings are stamped with whatever it says.",
    "没有时间服务校准时钟：读数的时间完全取决于它。",
)
_SWITCH_ON = Sentence(
    "Switch one on: timedatectl set-ntp true; without internet, name a server of the site in /etc/systemd/timesyncd.conf.",
    "请启用时间服务：timedatectl set-ntp true；没有互联网时，请在 /etc/systemd/timesyncd.conf 中写上现场的时间服务器。",
)
_UNKNOWN = Sentence("The kernel does not say whether its clock is kept right.", "内核没有说明时钟是否被校准。")


def _run(scene: Scene) -> Iterator[Finding]:
    if scene.is_synchronised is None:
        yield note(_UNKNOWN)
    elif scene.is_synchronised or is_there(scene.run / "systemd/timesync/synchronized"):
        yield ok(_GOOD)
    else:
        yield warning(_FREE, _SWITCH_ON)


CHECK = Check("clock-sync", Sentence("Time service", "时间同步"), _run)

"""Whether the machine keeps its time without power."""

from collections.abc import Iterator

from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.text import listed
from edge_agent.check.finding import Check, Finding, Sentence, note, ok

_GOOD = Sentence("The machine has a hardware clock ({name}).", "本机有硬件时钟（{name}）。")
_NONE = Sentence(
    "The machine has no hardware clock: after a power cut it begins with a wrong time until the network is there.",
    "本机没有硬件时钟：断电后在联网之前时间不对。",
)
_ADD = Sentence(
    "Add one with a battery (DS3231 or the like) where the site can be without network.",
    "现场可能断网时，请加装带电池的硬件时钟（如 DS3231）。",
)


def _run(scene: Scene) -> Iterator[Finding]:
    clocks = [path.name for path in listed(scene.sys / "class/rtc")]
    yield ok(_GOOD, name=clocks[0]) if clocks else note(_NONE, _ADD)


CHECK = Check("clock-rtc", Sentence("Hardware clock", "硬件时钟"), _run)

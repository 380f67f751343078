"""Whether two buses hang on one USB device."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from edge_agent.check.fact.port import tty_of, usb_device
from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Sentence, note, ok

_GOOD = Sentence("Each bus on USB has an adapter of its own.", "USB 上的每条总线都有自己的适配器。")
_SHARED = Sentence(
    "Buses {buses} are ports of one USB adapter: if it fails or is unplugged, they fail together.",
    "总线 {buses} 是同一个 USB 适配器的端口：它出故障或被拔下时会一起中断。",
)
_SPLIT = Sentence(
    "Where one of them matters more than the others, give it an adapter of its own.",
    "如果其中一条更重要，请给它单独的适配器。",
)


def _run(scene: Scene) -> Iterator[Finding]:
    groups: dict[Path, list[str]] = defaultdict(list)
    for bus, port in scene.ports():
        if (folder := usb_device(scene, tty_of(port))) is not None:
            groups[folder].append(bus.id)
    shared = [buses for buses in groups.values() if len(buses) > 1]
    for buses in shared:
        yield note(_SHARED, _SPLIT, buses=", ".join(buses))
    if groups and not shared:
        yield ok(_GOOD)


CHECK = Check("adapter-shared", Sentence("Buses on one adapter", "共用适配器"), _run)

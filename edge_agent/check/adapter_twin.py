"""Whether two USB adapters say they are the same one."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from edge_agent.check.fact.port import identity, tty_of, usb_ttys
from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Sentence, ok, warning

_GOOD = Sentence("Each USB adapter in use can be told from the others.", "使用中的 USB 适配器都能彼此区分。")
_TWINS = Sentence(
    "Adapters {ttys} have one model and one serial number ({serial}): /dev/serial/by-id has a name for one of them only.",
    "适配器 {ttys} 型号和序列号（{serial}）都相同：/dev/serial/by-id 只会有其中一个的名称。",
)
_BY_PATH = Sentence(
    "Name them by their USB socket, as in /dev/serial/by-path/, and do not change the sockets.",
    "请按 USB 插口命名，即用 /dev/serial/by-path/ 中的名称，并且不要更换插口。",
)


def _run(scene: Scene) -> Iterator[Finding]:
    ours = {tty_of(port) for _, port in scene.ports()}
    groups: dict[tuple[str, str, str], dict[Path, list[str]]] = defaultdict(lambda: defaultdict(list))
    for tty, folder in usb_ttys(scene):
        groups[identity(folder)][folder].append(tty)
    is_used = False
    for (_, _, serial), devices in groups.items():
        ttys = [tty for names in devices.values() for tty in names]
        if not ours.intersection(ttys):
            continue
        is_used = True
        # One device with several ports is no twin of itself.
        if len(devices) > 1 and not _are_by_path(scene, ttys):
            yield warning(_TWINS, _BY_PATH, ttys=", ".join(ttys), serial=serial or "-")
            return
    if is_used:
        yield ok(_GOOD)


def _are_by_path(scene: Scene, ttys: list[str]) -> bool:
    return all("/by-path/" in str(port) for _, port in scene.ports() if tty_of(port) in ttys)


CHECK = Check("adapter-twin", Sentence("Adapters that look alike", "无法区分的适配器"), _run)

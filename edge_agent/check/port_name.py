"""Whether ports are named so that a restart cannot exchange them."""

import re
from collections.abc import Iterator

from edge_agent.check.fact.port import stable_names
from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Sentence, ok, warning

# Numbered in the order in which the kernel found them.
_NUMBERED = re.compile(r"/tty(USB|ACM)\d+$")
_GOOD = Sentence(
    "Bus '{bus}' names its port by what a restart does not change.", "总线“{bus}”的串口名称重启后不会改变。"
)
_LOOSE = Sentence(
    "Bus '{bus}' names its port {port} by a number, which may be another adapter's after a restart.",
    "总线“{bus}”按编号命名串口 {port}，重启后该编号可能属于另一个适配器。",
)
_BETTER = Sentence('Write in the settings: port = "{better}"', '请在设置中写：port = "{better}"')
_LOOK = Sentence(
    "Name it as in /dev/serial/by-id/ or /dev/serial/by-path/.",
    "请按 /dev/serial/by-id/ 或 /dev/serial/by-path/ 中的名称填写。",
)


def _run(scene: Scene) -> Iterator[Finding]:
    for bus, port in scene.ports():
        if not _NUMBERED.search(str(port)):
            yield ok(_GOOD, bus=bus.id)
            continue
        better = stable_names(scene, port)
        yield warning(_LOOSE, _BETTER if better else _LOOK, bus=bus.id, port=port, better=better[0] if better else "")


CHECK = Check("port-name", Sentence("Names of ports", "串口命名"), _run)

"""Whether registers wait for an engineer's word."""

from collections.abc import Iterator

from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Sentence, ok, warning

_GOOD = Sentence("Every register is believed.", "所有示数均可信。")
_DOUBT = Sentence(
    "'{point}' of '{device}' went from {believed} to {value} {unit}, which is not believed; nothing is billed from it.",
    "“{device}”的“{point}”从 {believed} 变为 {value} {unit}，不予采信；不会据此计费。",
)
_ACCEPT = Sentence(
    "Look at the meter's display. If the number is right (the meter was exchanged): edge guard accept {device} {point}",
    "请查看表计的显示。如果数值正确（例如换过表）：edge guard accept {device} {point}",
)


def _run(scene: Scene) -> Iterator[Finding]:
    for row in scene.doubts or ():
        words = {key: row.get(key, "?") for key in ("device", "point", "believed", "value", "unit")}
        yield warning(_DOUBT, _ACCEPT, **words)
    if scene.doubts is not None and not scene.doubts:
        yield ok(_GOOD)


CHECK = Check("guard-doubt", Sentence("Registers in doubt", "存疑示数"), _run)

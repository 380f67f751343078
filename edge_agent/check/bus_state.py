"""Whether the running gateway has every line open."""

from collections.abc import Iterator

from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Sentence, failure, foreign, ok

_GOOD = Sentence("The gateway has bus '{bus}' open.", "网关已打开总线“{bus}”。")
_DOWN = Sentence("The gateway cannot use bus '{bus}': {reason}", "网关无法使用总线“{bus}”：{reason}")
_LOOK = Sentence(
    "See to its cable, adapter and power; the gateway opens it again by itself.",
    "请检查线缆、适配器和供电；网关会自动重新打开。",
)
_UNSAID = Sentence("no reason was given", "没有给出原因")


def _run(scene: Scene) -> Iterator[Finding]:
    for row in scene.live("buses"):
        if row.get("state") == "up":
            yield ok(_GOOD, bus=row["id"])
        else:
            reason = foreign(row["error"]) if row.get("error") else _UNSAID
            yield failure(_DOWN, _LOOK, bus=row["id"], reason=reason)


CHECK = Check("bus-state", Sentence("Lines open", "线路状态"), _run)

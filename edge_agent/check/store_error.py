"""Whether the running gateway can store what it reads."""

from collections.abc import Iterator

from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Sentence, failure, foreign, ok

_GOOD = Sentence("The gateway stores what it reads.", "网关能存储读数。")
_CANNOT = Sentence("The gateway cannot store what it reads: {reason}", "网关无法存储读数：{reason}")
_ROOM = Sentence(
    "Free the disk or mend it; the gateway goes on by itself.", "请腾出磁盘空间或排除磁盘故障；网关会自动恢复。"
)


def _run(scene: Scene) -> Iterator[Finding]:
    if scene.status is None:
        return
    error = (scene.status.get("store") or {}).get("error")
    yield ok(_GOOD) if error is None else failure(_CANNOT, _ROOM, reason=foreign(str(error)))


CHECK = Check("store-error", Sentence("Storing", "存储写入"), _run)

"""Whether many of a line's questions get no good answer."""

from collections.abc import Iterator

from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.text import share
from edge_agent.check.finding import Check, Finding, Sentence, failure, ok, warning

_FEW, _MANY = 0.02, 0.20
_LEAST_ASKED = 50
_GOOD = Sentence(
    "Bus '{bus}': {failed} of {asked} questions failed.", "总线“{bus}”：{asked} 次询问中有 {failed} 失败。"
)
_BAD = Sentence(
    "Bus '{bus}': {failed} of {asked} questions got no good answer.",
    "总线“{bus}”：{asked} 次询问中有 {failed} 没有得到正确应答。",
)
_WIRE = Sentence(
    "If one device is to blame, see 'edge devices'. If all are: check the 120-ohm resistors at both ends, the common "
    "ground, A and B, and keep the line away from power cables.",
    "如果只是一台设备，请看“edge devices”。如果全部如此：请检查两端的 120 欧终端电阻、公共地、A/B 线，并使线路远离动力电缆。",
)


def _run(scene: Scene) -> Iterator[Finding]:
    for row in scene.live("buses"):
        answers, failures = row.get("answers"), row.get("failures")
        if answers is None or failures is None or answers + failures < _LEAST_ASKED:
            continue
        part = failures / (answers + failures)
        words = {"bus": row["id"], "failed": share(part), "asked": answers + failures}
        if part <= _FEW:
            yield ok(_GOOD, **words)
        else:
            yield failure(_BAD, _WIRE, **words) if part > _MANY else warning(_BAD, _WIRE, **words)


CHECK = Check("answer-failed", Sentence("Failed questions", "通信失败"), _run)

"""Whether answers come after their question was given up."""

from collections.abc import Iterator

from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Sentence, ok, warning

_FEW = 0.001  # of the answers
_GOOD = Sentence("Bus '{bus}': no answers come late.", "总线“{bus}”：没有迟到的应答。")
_LATE = Sentence(
    "Bus '{bus}': {stale} answers came late or to nobody's question; none was taken for another's, but time is lost.",
    "总线“{bus}”：有 {stale} 个应答迟到或不属于任何询问；没有一个被错认，但浪费了时间。",
)
_WAIT = Sentence(
    "Raise timeout_ms of this bus ({timeout_ms} now), and see that nobody else asks on this line.",
    "请提高此总线的 timeout_ms（现为 {timeout_ms}），并确认线路上没有别的主站。",
)


def _run(scene: Scene) -> Iterator[Finding]:
    timeouts = {bus.id: round(bus.timeout_s * 1000) for bus in scene.buses}
    for row in scene.live("buses"):
        stale, answers = row.get("stale"), row.get("answers")
        if stale is None or answers is None:
            continue
        if stale > max(1, _FEW * answers):
            yield warning(_LATE, _WAIT, bus=row["id"], stale=stale, timeout_ms=timeouts.get(row["id"], "?"))
        else:
            yield ok(_GOOD, bus=row["id"])


CHECK = Check("answer-stale", Sentence("Late answers", "迟到的应答"), _run)

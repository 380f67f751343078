"""Whether the running gateway keeps the periods that are set."""

from collections.abc import Iterator

from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Sentence, ok, warning

_MOST = 1.25  # what is promised even with dead devices on the line
_GOOD = Sentence("Bus '{bus}' keeps its period: {period} s.", "总线“{bus}”能按周期轮询：{period} 秒。")
_LATE = Sentence(
    "Bus '{bus}' reads its devices every {period} s and not every {nominal} s as set.",
    "总线“{bus}”实际每 {period} 秒读取一次，而不是设定的 {nominal} 秒。",
)
_LESS = Sentence(
    "Look for devices that do not answer (edge devices); else raise period_s or the baud rate.",
    "请查找不应答的设备（edge devices）；否则请提高 period_s 或波特率。",
)


def _run(scene: Scene) -> Iterator[Finding]:
    for row in scene.live("buses"):
        period, nominal = row.get("period_ms"), row.get("nominal_ms")
        if not period or not nominal:
            continue
        words = {"bus": row["id"], "period": f"{period / 1000:.1f}", "nominal": f"{nominal / 1000:.1f}"}
        yield warning(_LATE, _LESS, **words) if period > _MOST * nominal else ok(_GOOD, **words)


CHECK = Check("line-pace", Sentence("Periods kept", "轮询周期"), _run)

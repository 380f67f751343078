"""Whether this clock and the centre's show one time."""

from collections.abc import Iterator

from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Sentence, failure, ok, warning

_FEW_S, _MANY_S = 5, 300
_GOOD = Sentence("This clock and the centre's are {seconds} s apart.", "本机时钟与中心相差 {seconds} 秒。")
_APART = Sentence(
    "This clock is {seconds} s away from the centre's ({offset} s).", "本机时钟与中心相差 {seconds} 秒（{offset} 秒）。"
)
_SYNC = Sentence(
    "Find out which one is wrong (date -u on both), and switch the time service on there: timedatectl set-ntp true",
    "请找出哪一台不对（两台都执行 date -u），并在那台启用时间服务：timedatectl set-ntp true",
)


def _run(scene: Scene) -> Iterator[Finding]:
    offset_s = _offset_s(scene)
    if offset_s is None:
        return
    words = {"seconds": round(abs(offset_s)), "offset": f"{offset_s:+.0f}"}
    if abs(offset_s) > _MANY_S:
        yield failure(_APART, _SYNC, **words)
    else:
        yield warning(_APART, _SYNC, **words) if abs(offset_s) > _FEW_S else ok(_GOOD, **words)


def _offset_s(scene: Scene) -> float | None:
    """Give the centre's clock minus ours; the running gateway knows it better than one question."""
    told_ms = ((scene.status or {}).get("clock") or {}).get("offset_ms")
    if told_ms is not None:
        return float(told_ms) / 1000
    is_centre = scene.centre is not None and scene.centre.error is None and scene.centre.is_ours
    return scene.centre.offset_s if is_centre and scene.centre is not None else None


CHECK = Check("centre-clock", Sentence("Centre's clock", "中心时钟"), _run)

"""Whether the clock stands where it cannot be."""

from collections.abc import Iterator
from datetime import UTC, datetime

from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Sentence, failure, ok

_SLACK_S = 86_400
_FAR_S = 20 * 365 * 86_400
_GOOD = Sentence("The clock shows {now}, which can be.", "时钟显示 {now}，合理。")
_PAST = Sentence(
    "The clock shows {now}, but this program was installed on {built}: the clock is wrong.",
    "时钟显示 {now}，但本程序安装于 {built}：时钟不对。",
)
_FUTURE = Sentence("The clock shows {now}, far in the future.", "时钟显示 {now}，远在未来。")
_SET = Sentence(
    "Set it (timedatectl set-time '2026-01-31 12:00:00'), and switch the time service on: timedatectl set-ntp true",
    "请设置时钟（timedatectl set-time '2026-01-31 12:00:00'），并启用时间服务：timedatectl set-ntp true",
)


def _run(scene: Scene) -> Iterator[Finding]:
    words = {"now": _day(scene.now), "built": _day(scene.built_at)}
    if scene.now < scene.built_at - _SLACK_S:
        yield failure(_PAST, _SET, **words)
    elif scene.now > scene.built_at + _FAR_S:
        yield failure(_FUTURE, _SET, **words)
    else:
        yield ok(_GOOD, **words)


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}Z"


CHECK = Check("clock-past", Sentence("Date", "日期"), _run)

"""Whether the meters' days end where the site is."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.text import read
from edge_agent.check.finding import Check, Finding, Sentence, note, ok

_GOOD = Sentence(
    "The meters' days end at midnight in {zone}, where it is {time} now.",
    "表计的一天在 {zone} 的午夜结束，那里现在是 {time}。",
)
_OTHER = Sentence(
    "[edge] zone is {zone}, where it is {time} now, but the machine itself is set to {system}, where it is {local}.",
    "[edge] zone 是 {zone}，那里现在是 {time}，而本机设为 {system}，那里是 {local}。",
)
_CORRECT = Sentence(
    "Nothing is wrong if the site is in {zone}; else correct [edge] zone: it says when a meter's day ends.",
    "如果现场在 {zone}，则没有问题；否则请改正 [edge] zone：它决定表计的一天何时结束。",
)


def _run(scene: Scene) -> Iterator[Finding]:
    if scene.settings is None:
        return
    zone = scene.settings.zone
    now = datetime.fromtimestamp(scene.now, UTC)
    words = {"zone": zone.key, "time": f"{now.astimezone(zone):%H:%M}"}
    system = _system_zone(scene)
    # A machine on UTC is a custom of servers and says nothing of the site.
    if system is None or now.astimezone(system).utcoffset() in (now.utcoffset(), now.astimezone(zone).utcoffset()):
        yield ok(_GOOD, **words)
    else:
        yield note(_OTHER, _CORRECT, **words, system=system.key, local=f"{now.astimezone(system):%H:%M}")


def _system_zone(scene: Scene) -> ZoneInfo | None:
    _, marker, name = os.path.realpath(scene.etc / "localtime").partition("/zoneinfo/")
    try:
        return ZoneInfo(name if marker else read(scene.etc / "timezone") or "")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


CHECK = Check("time-zone", Sentence("Time zone", "时区"), _run)

"""Whether two buses are one line under two names."""

from collections.abc import Iterator

from edge_agent.check.fact.scene import Scene, place_of
from edge_agent.check.finding import Check, Finding, Sentence, ok, warning

_GOOD = Sentence("No two buses lead to one place.", "没有两条总线通向同一处。")
_TWIN = Sentence(
    "Buses '{first}' and '{second}' lead to one address, {place}: many converters mix up two connections.",
    "总线“{first}”和“{second}”通向同一地址 {place}：许多转换器会把两个连接弄混。",
)
_JOIN = Sentence(
    "Put their devices on one bus: a line has one owner.", "请把它们的设备放到同一条总线上：一条线路只有一个属主。"
)


def _run(scene: Scene) -> Iterator[Finding]:
    seen: dict[tuple[str, int], str] = {}
    count = 0
    for bus in scene.buses:
        place = place_of(bus)
        answer = scene.places.get(place) if place is not None else None
        if place is None or answer is None or not answer.address:
            continue
        key = (answer.address, place[1])
        if key in seen:
            count += 1
            yield warning(_TWIN, _JOIN, first=seen[key], second=bus.id, place=f"{key[0]}:{key[1]}")
        seen.setdefault(key, bus.id)
    if seen and not count:
        yield ok(_GOOD)


CHECK = Check("bus-twin", Sentence("Buses with one address", "地址相同的总线"), _run)

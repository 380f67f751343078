"""Whether the machine is too hot for its place."""

from collections.abc import Iterator

from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.text import listed, number
from edge_agent.check.finding import Check, Finding, Sentence, ok, warning

_MOST_C = 80  # from here on small computers slow down
_GOOD = Sentence("The processor has {degrees} degrees Celsius.", "处理器温度 {degrees} 摄氏度。")
_HOT = Sentence(
    "The processor has {degrees} degrees Celsius and slows down.", "处理器温度 {degrees} 摄氏度，会降速运行。"
)
_COOL = Sentence(
    "Give the box air, keep it away from heat and sun, or add a heat sink.",
    "请让机箱通风，远离热源和阳光，或加装散热片。",
)


def _run(scene: Scene) -> Iterator[Finding]:
    zones = [path for path in listed(scene.sys / "class/thermal") if path.name.startswith("thermal_zone")]
    read_out = [milli for zone in zones if (milli := number(zone / "temp")) is not None]
    if not read_out:
        return
    degrees = round(max(read_out) / 1000)
    yield warning(_HOT, _COOL, degrees=degrees) if degrees >= _MOST_C else ok(_GOOD, degrees=degrees)


CHECK = Check("temperature", Sentence("Temperature", "温度"), _run)

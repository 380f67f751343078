"""Whether a line has the time for all that is asked of it."""

from collections.abc import Iterator

from drivers.bus.settings import SerialSettings
from drivers.modbus_device import plan_blocks
from drivers.profile import Point
from drivers.profile.modbus import Link
from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.text import share
from edge_agent.check.finding import Check, Finding, Sentence, failure, ok, warning
from edge_agent.config import Device

_MOST = 0.8  # commands, second tries and silent devices need the rest
# What a question and its answer have beside the data, in bytes, and what a device takes to think.
_MODBUS_BYTES, _MODBUS_THINK_S = 8 + 5 + 7, 0.02
_METER_BYTES, _METER_THINK_S = 20 + 24, 0.15

_GOOD = Sentence(
    "Bus '{bus}': reading its devices takes about {used} of the line's time.",
    "总线“{bus}”：读取其设备约占线路时间的 {used}。",
)
_FULL = Sentence(
    "Bus '{bus}': reading its devices takes about {used} of the line's time; little is left for commands.",
    "总线“{bus}”：读取其设备约占线路时间的 {used}；留给命令的时间很少。",
)
_TOO_MUCH = Sentence(
    "Bus '{bus}': reading its devices as often as set would take about {used} of the line's time.",
    "总线“{bus}”：按设定的周期读取其设备约需线路时间的 {used}。",
)
_LESS = Sentence(
    "Raise period_s to about {period_s} s, name only the points you need, raise the baud rate ({baudrate} now), "
    "or share the devices out to two lines.",
    "请把 period_s 提高到约 {period_s} 秒，只列出需要的测点，提高波特率（现为 {baudrate}），或把设备分到两条线路上。",
)


def _run(scene: Scene) -> Iterator[Finding]:
    for bus in scene.buses:
        devices = [device for device in scene.devices if device.bus == bus.id]
        if not isinstance(bus, SerialSettings) or not devices:
            continue
        used = sum(round_s(device, bus.byte_s) / device.period_s for device in devices)
        # With all periods as they are to each other, the shortest that fits.
        period_s = max(1, round(min(device.period_s for device in devices) * used / _MOST + 0.5))
        words = {"bus": bus.id, "used": share(used), "period_s": period_s, "baudrate": bus.baudrate}
        if used > 1:
            yield failure(_TOO_MUCH, _LESS, **words)
        else:
            yield warning(_FULL, _LESS, **words) if used > _MOST else ok(_GOOD, **words)


def round_s(device: Device, byte_s: float) -> float:
    """Estimate how long one reading of a device takes on its line."""
    points = [device.profile.point(name) for name in device.points]
    link = device.profile.link
    if isinstance(link, Link):
        blocks = plan_blocks(points, link)
        return sum((_MODBUS_BYTES + 2 * count) * byte_s + _MODBUS_THINK_S for _, _, count, _ in blocks)
    return _questions(points) * (_METER_BYTES * byte_s + _METER_THINK_S)


def _questions(points: list[Point]) -> int:
    """Count the questions to a meter: points of one data block come with one answer."""
    asked = set()
    for point in points:
        block = getattr(point.source, "block", None)
        asked.add(getattr(point.source, "di", "all") if block is None else block)
    return len(asked)


CHECK = Check("line-budget", Sentence("Time on each line", "线路时间"), _run)

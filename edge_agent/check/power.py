"""Whether a Raspberry Pi gets enough voltage."""

from collections.abc import Iterator

from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.text import listed, number, read
from edge_agent.check.finding import Check, Finding, Sentence, failure, ok, warning

# Source: Raspberry Pi documentation, vcgencmd get_throttled: bit 0 under-voltage now, bit 16 since the start.
_NOW, _BEFORE = 1 << 0, 1 << 16
_GOOD = Sentence("The supply voltage is well.", "供电电压正常。")
_LOW = Sentence(
    "The supply voltage is too low: USB adapters drop out and the card gets damaged.",
    "供电电压过低：USB 适配器会掉线，存储卡会损坏。",
)
_WAS_LOW = Sentence("The supply voltage was too low since the start.", "启动以来供电电压曾经过低。")
_SUPPLY = Sentence(
    "Use the maker's supply (5.1 V, 3 A or more) and a short cable, and power USB devices by a hub of their own.",
    "请使用原厂电源（5.1 V，3 A 以上）和短线，USB 设备请用独立供电的集线器。",
)


def _run(scene: Scene) -> Iterator[Finding]:
    flags = _flags(read(scene.sys / "devices/platform/soc/soc:firmware/get_throttled"))
    alarms = [
        alarm
        for folder in listed(scene.sys / "class/hwmon")
        if read(folder / "name") == "rpi_volt" and (alarm := number(folder / "in0_lcrit_alarm")) is not None
    ]
    if any(alarms) or (flags is not None and flags & _NOW):
        yield failure(_LOW, _SUPPLY)
    elif flags is not None and flags & _BEFORE:
        yield warning(_WAS_LOW, _SUPPLY)
    elif alarms or flags is not None:
        yield ok(_GOOD)


def _flags(text: str | None) -> int | None:
    """Read the firmware's word, hex without a prefix."""
    try:
        return None if text is None else int(text, 16)
    except ValueError:
        return None


CHECK = Check("power", Sentence("Supply voltage", "供电电压"), _run)

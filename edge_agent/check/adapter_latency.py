"""Whether an adapter keeps answers back to send them in larger pieces."""

from collections.abc import Iterator

from edge_agent.check.fact.port import tty_of
from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.text import number
from edge_agent.check.finding import Check, Finding, Sentence, ok, warning

# FTDI's default of 16 ms is added to the end of every answer.
_MOST_MS = 2
_GOOD = Sentence("The adapter {tty} hands bytes on within {ms} ms.", "适配器 {tty} 在 {ms} 毫秒内转交数据。")
_SLOW = Sentence(
    "The adapter {tty} of bus '{bus}' keeps bytes back for up to {ms} ms: every exchange takes that much longer.",
    "总线“{bus}”的适配器 {tty} 最多会把数据压住 {ms} 毫秒：每次通信都因此变慢。",
)
_SET = Sentence(
    "Set it for now with: echo 1 > /sys/bus/usb-serial/devices/{tty}/latency_timer; and for good by a udev rule: "
    'SUBSYSTEM=="usb-serial", DRIVER=="ftdi_sio", ATTR{{latency_timer}}="1"',
    "临时设置：echo 1 > /sys/bus/usb-serial/devices/{tty}/latency_timer；永久设置请加 udev 规则："
    'SUBSYSTEM=="usb-serial", DRIVER=="ftdi_sio", ATTR{{latency_timer}}="1"',
)


def _run(scene: Scene) -> Iterator[Finding]:
    for bus, port in scene.ports():
        tty = tty_of(port)
        ms = number(scene.sys / "bus/usb-serial/devices" / tty / "latency_timer")
        if ms is None:
            continue  # only FTDI's driver has one
        yield warning(_SLOW, _SET, bus=bus.id, tty=tty, ms=ms) if ms > _MOST_MS else ok(_GOOD, tty=tty, ms=ms)


CHECK = Check("adapter-latency", Sentence("Adapter latency", "适配器延迟"), _run)

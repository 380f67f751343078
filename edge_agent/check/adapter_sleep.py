"""Whether the system may put an adapter to sleep."""

from collections.abc import Iterator

from edge_agent.check.fact.port import tty_of, usb_device
from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.text import number, read
from edge_agent.check.finding import Check, Finding, Sentence, ok, warning

_GOOD = Sentence("The adapter {tty} is never put to sleep.", "适配器 {tty} 不会休眠。")
_SLEEPS = Sentence(
    "The USB adapter {tty} of bus '{bus}' may be put to sleep after {seconds:g} s without use; some do not wake up.",
    "总线“{bus}”的 USB 适配器 {tty} 空闲 {seconds:g} 秒后可能休眠；有些适配器不会再醒来。",
)
_SET = Sentence(
    "Switch it off with: echo on > {file}; and for good with usbcore.autosuspend=-1 on the kernel's command line.",
    "请关闭休眠：echo on > {file}；永久关闭请在内核命令行加 usbcore.autosuspend=-1。",
)


def _run(scene: Scene) -> Iterator[Finding]:
    for bus, port in scene.ports():
        tty = tty_of(port)
        folder = usb_device(scene, tty)
        if folder is None:
            continue
        delay_ms = number(folder / "power/autosuspend_delay_ms")
        if read(folder / "power/control") == "auto" and delay_ms is not None and delay_ms >= 0:
            file = folder / "power/control"
            yield warning(_SLEEPS, _SET, bus=bus.id, tty=tty, seconds=delay_ms / 1000, file=file)
        else:
            yield ok(_GOOD, tty=tty)


CHECK = Check("adapter-sleep", Sentence("Adapter sleep", "适配器休眠"), _run)

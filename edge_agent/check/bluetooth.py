"""Whether the Bluetooth adapters of the settings are there, switched on and served."""

from collections.abc import Iterator
from pathlib import Path

from edge_agent.check.fact.process import named
from edge_agent.check.fact.scene import Scene, adapter_of
from edge_agent.check.fact.text import listed, read
from edge_agent.check.finding import Check, Finding, Sentence, failure, ok

_GOOD = Sentence("Bus '{bus}': the Bluetooth adapter {adapter} is there.", "总线“{bus}”：蓝牙适配器 {adapter} 存在。")
_MISSING = Sentence("Bus '{bus}': there is no Bluetooth adapter {adapter}.", "总线“{bus}”：没有蓝牙适配器 {adapter}。")
_PLUG = Sentence(
    "Plug one in, or name another adapter in the settings. There are: {there}.",
    "请插上适配器，或在设置中改用其他适配器。本机有：{there}。",
)
_BLOCKED = Sentence(
    "Bus '{bus}': the Bluetooth adapter {adapter} is switched off.", "总线“{bus}”：蓝牙适配器 {adapter} 已被关闭。"
)
_UNBLOCK = Sentence("Switch it on with: rfkill unblock bluetooth", "请打开它：rfkill unblock bluetooth")
_NO_BLUEZ = Sentence("The Bluetooth service of this machine does not run.", "本机的蓝牙服务没有运行。")
_START = Sentence(
    "Start it with: systemctl enable --now bluetooth (Debian's package: bluez)",
    "请启动：systemctl enable --now bluetooth（Debian 软件包：bluez）",
)
_NOTHING = Sentence("none", "无")


def _run(scene: Scene) -> Iterator[Finding]:
    buses = [(bus.id, adapter) for bus in scene.buses if (adapter := adapter_of(bus)) is not None]
    if buses and not named(scene.proc, frozenset({"bluetoothd"})):
        yield failure(_NO_BLUEZ, _START)
    root = scene.sys / "class/bluetooth"
    # A connection has a folder beside its adapter's: hci0:64.
    there = [path.name for path in listed(root) if ":" not in path.name]
    for bus, adapter in buses:
        words = {"bus": bus, "adapter": adapter, "there": ", ".join(there) or _NOTHING}
        if adapter not in there:
            yield failure(_MISSING, _PLUG, **words)
        elif any(read(path / kind) == "1" for path in _switches(scene, adapter) for kind in ("soft", "hard")):
            yield failure(_BLOCKED, _UNBLOCK, **words)
        else:
            yield ok(_GOOD, **words)


def _switches(scene: Scene, adapter: str) -> list[Path]:
    return [path for path in listed(scene.sys / "class/bluetooth" / adapter) if path.name.startswith("rfkill")]


CHECK = Check("bluetooth", Sentence("Bluetooth", "蓝牙"), _run)

"""Whether a reader would still be given a key over an open line."""

from collections.abc import Iterator

from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Sentence, ok, warning

_GOOD = Sentence("No device is in install mode.", "没有设备处于安装模式。")
_OPEN = Sentence(
    "Device '{device}' is in install mode: its key crosses the line under a key that everybody knows.",
    "设备“{device}”处于安装模式：它的密钥会以人人皆知的密钥在线路上传送。",
)
_CLOSE = Sentence(
    "Once it has its key, remove install_mode from [[device]] '{device}' and start the gateway again.",
    "设备得到密钥后，请从 [[device]]“{device}”去掉 install_mode，并重新启动网关。",
)


def _run(scene: Scene) -> Iterator[Finding]:
    found = [device for device in scene.devices if device.is_installing]
    for device in found:
        yield warning(_OPEN, _CLOSE, device=device.id)
    if not found and any(device.key_file is not None for device in scene.devices):
        yield ok(_GOOD)


CHECK = Check("install-mode", Sentence("Install mode", "安装模式"), _run)

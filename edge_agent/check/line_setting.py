"""Whether baud rate and parity are what devices of a protocol usually have."""

from collections.abc import Iterator
from typing import NamedTuple

from drivers.bus.settings import SerialSettings
from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Sentence, note, ok


class _Usual(NamedTuple):
    """How devices leave the factory; a rate or a frame that is not here is rare, not wrong."""

    baudrates: frozenset[int]
    frames: frozenset[str]
    source: str


_METERS = frozenset({1200, 2400, 4800, 9600, 19200})
# The documents' own defaults, and for Modbus the 8N1 that most makers ship.
_USUAL = {
    "modbus": _Usual(
        frozenset({2400, 4800, 9600, 19200, 38400, 57600, 115200}),
        frozenset({"8E1", "8N2", "8N1", "8O1"}),
        "Modbus RTU",
    ),
    "dlt645": _Usual(_METERS, frozenset({"8E1"}), "DL/T 645"),
    "cjt188": _Usual(_METERS, frozenset({"8E1"}), "CJ/T 188"),
    "mbus": _Usual(frozenset({300, 1200, 2400, 4800, 9600, 19200, 38400}), frozenset({"8E1"}), "EN 13757-2"),
    "iec62056": _Usual(frozenset({300, 600, 1200, 2400, 4800, 9600, 19200}), frozenset({"7E1"}), "IEC 62056-21"),
    "p1": _Usual(frozenset({9600, 115200}), frozenset({"8N1", "7E1"}), "DSMR P1"),
}
_ASCII_FRAMES = frozenset({"7E1", "7O1", "7N2", "8E1", "8N1"})

_GOOD = Sentence(
    "Bus '{bus}': {baudrate} baud {frame} is usual for {protocol}.",
    "总线“{bus}”：{baudrate} 波特 {frame} 是 {protocol} 的常用设置。",
)
_RARE = Sentence(
    "Bus '{bus}': {baudrate} baud {frame} is rare for {protocol}; usual is {usual}.",
    "总线“{bus}”：{baudrate} 波特 {frame} 对 {protocol} 很少见；常用的是 {usual}。",
)
_COMPARE = Sentence(
    "If its devices do not answer, compare with their display or manual, or try: edge scan {bus}",
    "如果设备不应答，请与其显示屏或说明书核对，或试用：edge scan {bus}",
)
_MIXED = Sentence(
    "Bus '{bus}' carries {protocols}: devices of one may take the other's frames for noise, or for theirs.",
    "总线“{bus}”同时承载 {protocols}：一种设备可能把另一种的帧当作噪声，或误认为是发给自己的。",
)
_PART = Sentence(
    "Give each protocol a line of its own, unless the devices are known to get on.",
    "请给每种协议单独一条线路，除非已知这些设备能共处。",
)


def _run(scene: Scene) -> Iterator[Finding]:
    for bus in scene.buses:
        if not isinstance(bus, SerialSettings):
            continue
        protocols = sorted({device.profile.protocol for device in scene.devices if device.bus == bus.id})
        if len(protocols) > 1:
            names = ", ".join(_USUAL[protocol].source for protocol in protocols if protocol in _USUAL)
            yield note(_MIXED, _PART, bus=bus.id, protocols=names)
        for protocol in protocols:
            if (usual := _USUAL.get(protocol)) is not None:
                yield _judge(bus, usual)


def _judge(bus: SerialSettings, usual: _Usual) -> Finding:
    frame = f"{bus.bytesize}{bus.parity}{bus.stopbits}"
    frames = _ASCII_FRAMES if bus.is_ascii else usual.frames
    words = {"bus": bus.id, "baudrate": bus.baudrate, "frame": frame, "protocol": usual.source}
    if frame in frames and bus.baudrate in usual.baudrates:
        return ok(_GOOD, **words)
    rates = "/".join(map(str, sorted(usual.baudrates)))
    return note(_RARE, _COMPARE, **words, usual=f"{rates} {'/'.join(sorted(frames))}")


CHECK = Check("line-setting", Sentence("Baud rate and parity", "波特率和校验"), _run)

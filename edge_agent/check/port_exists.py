"""Whether each serial port of the settings is there."""

from collections.abc import Iterator

from edge_agent.check.fact.port import is_character_device
from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.text import is_there, listed
from edge_agent.check.finding import Check, Finding, Sentence, failure, ok

_GOOD = Sentence("Bus '{bus}': the serial port {port} is there.", "总线“{bus}”：串口 {port} 存在。")
_MISSING = Sentence("Bus '{bus}': there is no serial port {port}.", "总线“{bus}”：没有串口 {port}。")
_NONE_THERE = Sentence(
    "Plug the adapter in and look for it with: dmesg | tail. No serial adapter is found on this machine.",
    "请插上适配器，并用 dmesg | tail 查看。本机没有发现任何串口适配器。",
)
_THERE_ARE = Sentence(
    "Plug the adapter in, or name the right port in the settings. There are: {ports}.",
    "请插上适配器，或在设置中写上正确的串口。本机有：{ports}。",
)
_NO_PORT = Sentence("Bus '{bus}': {port} is not a serial port.", "总线“{bus}”：{port} 不是串口。")
_NAME = Sentence("Name a serial port, as one of /dev/serial/by-id/.", "请填写串口，例如 /dev/serial/by-id/ 中的一个。")


def _run(scene: Scene) -> Iterator[Finding]:
    for bus, port in scene.ports():
        if not is_there(port):
            there = [str(path) for path in listed(scene.dev / "serial/by-id")]
            there += [str(path) for path in listed(scene.dev) if path.name.startswith(("ttyUSB", "ttyACM", "ttyAMA"))]
            yield failure(_MISSING, _THERE_ARE if there else _NONE_THERE, bus=bus.id, port=port, ports=", ".join(there))
        elif not is_character_device(port):
            yield failure(_NO_PORT, _NAME, bus=bus.id, port=port)
        else:
            yield ok(_GOOD, bus=bus.id, port=port)


CHECK = Check("port-exists", Sentence("Serial ports", "串口"), _run)

"""Whether something answers where each bus behind the network is said to be."""

from collections.abc import Iterator

from edge_agent.check.fact.scene import Scene, place_of
from edge_agent.check.finding import Check, Finding, Sentence, failure, ok

_GOOD = Sentence("Bus '{bus}': {place} takes connections.", "总线“{bus}”：{place} 可以连接。")
_IN_USE = Sentence("Bus '{bus}': the gateway is connected to {place}.", "总线“{bus}”：网关已连接 {place}。")
_NO_NAME = Sentence("Bus '{bus}': the name '{host}' has no address.", "总线“{bus}”：名称“{host}”没有对应的地址。")
_NAME = Sentence(
    "Correct the host, or write its IP address: then no name service is needed.",
    "请改正 host，或直接写 IP 地址：这样就不依赖域名服务。",
)
_REFUSES = Sentence("Bus '{bus}': {place} refuses the connection.", "总线“{bus}”：{place} 拒绝连接。")
_PORT = Sentence(
    "Check the port (502 is usual for Modbus TCP), and that the converter is in the right mode and has a connection left.",
    "请检查端口（Modbus TCP 通常为 502），以及转换器的模式是否正确、是否还有空余连接。",
)
_SILENT = Sentence("Bus '{bus}': nothing answers at {place}.", "总线“{bus}”：{place} 无应答。")
_CABLE = Sentence(
    "Check its power, the cable, its address and that this machine is in the same network: ping {host}",
    "请检查供电、网线、地址，以及本机是否在同一网络：ping {host}",
)
_OTHER = Sentence("Bus '{bus}': {place} cannot be reached ({reason}).", "总线“{bus}”：无法连接 {place}（{reason}）。")
_KINDS = {"name": (_NO_NAME, _NAME), "refused": (_REFUSES, _PORT), "silent": (_SILENT, _CABLE)}


def _run(scene: Scene) -> Iterator[Finding]:
    for bus in scene.buses:
        place = place_of(bus)
        if place is None:
            continue
        words = {"bus": bus.id, "host": place[0], "place": f"{place[0]}:{place[1]}"}
        answer = scene.places.get(place)
        if answer is None and scene.is_running:
            yield ok(_IN_USE, **words)
        elif answer is None:
            continue  # it was not tried, because a gateway that cannot be asked may be connected to it
        elif answer.error is None:
            yield ok(_GOOD, **words)
        else:
            text, remedy = _KINDS.get(answer.error, (_OTHER, _CABLE))
            yield failure(text, remedy, **words, reason=answer.error)


CHECK = Check("bus-reach", Sentence("Buses over the network", "网络总线"), _run)

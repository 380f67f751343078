"""Whether another program has one of our serial ports open."""

from collections.abc import Iterator

from edge_agent.check.fact.port import holders
from edge_agent.check.fact.process import gateway_pid
from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.text import is_there
from edge_agent.check.finding import Check, Finding, Sentence, failure, ok

_GOOD = Sentence("Nobody else has {port} open.", "没有其他程序打开 {port}。")
_HELD = Sentence(
    "Bus '{bus}': {port} is open in process {pid} ({name}); its bytes and ours get mixed up.",
    "总线“{bus}”：{port} 已被进程 {pid}（{name}）打开；两边的数据会互相混淆。",
)
_STOP = Sentence(
    "Stop that program, or give this bus another port: ps -fp {pid}", "请停止该程序，或给此总线换一个串口：ps -fp {pid}"
)


def _run(scene: Scene) -> Iterator[Finding]:
    own = gateway_pid(scene)
    if own is None and scene.silence is not None:
        return  # the gateway runs and may have its ports, but this account cannot see which process it is
    for bus, port in scene.ports():
        if not is_there(port):
            continue
        others = [holder for holder in holders(scene, port) if holder.pid != own]
        for holder in others:
            yield failure(_HELD, _STOP, bus=bus.id, port=port, pid=holder.pid, name=holder.name)
        if not others:
            yield ok(_GOOD, port=port)


CHECK = Check("port-holder", Sentence("Other users of ports", "串口占用"), _run)

"""Whether the gateway runs as an account of its own and not as root."""

from collections.abc import Iterator

from edge_agent.check.fact.process import gateway_pid
from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.text import read
from edge_agent.check.finding import Check, Finding, Sentence, ok, warning

_ROOT = Sentence(
    "The gateway (process {pid}) runs as root: a fault in it could harm the whole machine.",
    "网关（进程 {pid}）以 root 运行：一旦出错可能危及整台机器。",
)
_OWN = Sentence(
    "Give it an account of its own in the group dialout, and that account the data folder: "
    "useradd -r -G dialout gatehouse; chown -R gatehouse {data}",
    "请给它一个属于 dialout 组的专用账号，并把数据文件夹交给该账号："
    "useradd -r -G dialout gatehouse; chown -R gatehouse {data}",
)
_GOOD = Sentence(
    "The gateway (process {pid}) runs as account {uid}, not as root.",
    "网关（进程 {pid}）以账号 {uid} 运行，不是 root。",
)


def _run(scene: Scene) -> Iterator[Finding]:
    pid = gateway_pid(scene)
    if pid is None or scene.settings is None:
        return
    for line in (read(scene.proc / str(pid) / "status") or "").splitlines():
        if line.startswith("Uid:"):
            uid = int(line.split()[2])
            if uid == 0:
                yield warning(_ROOT, _OWN, pid=pid, data=scene.settings.data)
            else:
                yield ok(_GOOD, pid=pid, uid=uid)


CHECK = Check("account", Sentence("Service account", "服务账号"), _run)

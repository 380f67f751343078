"""Whether the system itself uses one of our serial ports as its console."""

from collections.abc import Iterator

from edge_agent.check.fact.port import holders, tty_of
from edge_agent.check.fact.process import arguments_of, command_of, processes
from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.text import is_there, read
from edge_agent.check.finding import Check, Finding, Sentence, failure, ok

_LOGINS = frozenset({"agetty", "getty", "mgetty"})
_GOOD = Sentence("{port} is no console of the system.", "{port} 不是系统控制台。")
_KERNEL = Sentence(
    "Bus '{bus}': the kernel writes its messages to {tty}, into the devices' line.",
    "总线“{bus}”：内核把消息写到 {tty}，即写进设备的线路。",
)
_NO_KERNEL = Sentence(
    "Remove console={tty} from the kernel's command line (Raspberry Pi: raspi-config, Interface Options, Serial Port) "
    "and start the machine again.",
    "请从内核命令行去掉 console={tty}（树莓派：raspi-config，Interface Options，Serial Port），然后重启机器。",
)
_LOGIN = Sentence(
    "Bus '{bus}': a login prompt ({name}, process {pid}) waits on {tty} and answers the devices.",
    "总线“{bus}”：{tty} 上有登录提示（{name}，进程 {pid}），它会对设备应答。",
)
_NO_LOGIN = Sentence(
    "Switch it off with: systemctl disable --now serial-getty@{tty}.service",
    "请关闭它：systemctl disable --now serial-getty@{tty}.service",
)


def _run(scene: Scene) -> Iterator[Finding]:
    consoles = {line.split()[0] for line in (read(scene.proc / "consoles") or "").splitlines() if line.split()}
    logins = [
        (int(folder.name), command_of(folder), arguments_of(folder))
        for folder in processes(scene.proc)
        if command_of(folder) in _LOGINS
    ]
    for bus, port in scene.ports():
        if not is_there(port):
            continue
        tty = tty_of(port)
        # A newer systemd opens the port itself and names none.
        users = {holder.pid for holder in holders(scene, port)}
        waiting = [
            (pid, name)
            for pid, name, words in logins
            if pid in users or tty in (word.removeprefix("/dev/") for word in words)
        ]
        if tty in consoles:
            yield failure(_KERNEL, _NO_KERNEL, bus=bus.id, tty=tty)
        for pid, name in waiting:
            yield failure(_LOGIN, _NO_LOGIN, bus=bus.id, tty=tty, pid=pid, name=name)
        if tty not in consoles and not waiting:
            yield ok(_GOOD, port=port)


CHECK = Check("serial-console", Sentence("Serial console", "串口控制台"), _run)

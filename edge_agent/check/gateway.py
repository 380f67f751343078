"""Whether the gateway runs and answers."""

from collections.abc import Iterator

from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Sentence, failure, foreign, note, ok, warning

_RUNS = Sentence("The gateway '{edge}' has been running for {minutes} min.", "网关“{edge}”已运行 {minutes} 分钟。")
_STOPPED = Sentence(
    "The gateway does not run, so that what only it knows is not looked at.",
    "网关没有运行，只有它才知道的内容无法检查。",
)
_START = Sentence("Start it with: edge run", "请启动：edge run")
_SILENT = Sentence("The gateway runs, but cannot be asked: {reason}", "网关在运行，但无法询问：{reason}")
_ACCOUNT = Sentence(
    "Run this command as the gateway's account; if it hangs, look into its log and start it again.",
    "请用网关的账号运行本命令；如果网关卡住，请查看其日志并重新启动。",
)
_OLD = Sentence(
    "The running gateway is version {running}, this command is version {installed}.",
    "正在运行的网关是 {running} 版，本命令是 {installed} 版。",
)
_AGAIN = Sentence("Start the gateway again, so that it is the installed one.", "请重新启动网关，使其为已安装的版本。")


def _run(scene: Scene) -> Iterator[Finding]:
    if scene.silence is not None:
        yield failure(_SILENT, _ACCOUNT, reason=foreign(scene.silence))
    elif scene.status is None:
        if scene.settings is not None:
            yield note(_STOPPED, _START)
    else:
        running = str(scene.status.get("version", ""))
        if running != scene.version:
            yield warning(_OLD, _AGAIN, running=running or "?", installed=scene.version)
        minutes = round(float(scene.status.get("uptime_s") or 0) / 60)
        yield ok(_RUNS, edge=scene.status.get("edge_id"), minutes=minutes)


CHECK = Check("gateway", Sentence("Running gateway", "网关进程"), _run)

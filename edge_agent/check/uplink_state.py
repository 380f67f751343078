"""Whether the running gateway is on good terms with the centre."""

from collections.abc import Iterator

from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Sentence, failure, foreign, ok, warning

_GOOD = Sentence("The uplink is {state}.", "上行状态：{state}。")
_REFUSED = Sentence("The centre refuses this gateway: {reason}", "中心拒绝本网关：{reason}")
_INVITE = Sentence(
    "Compare [edge] id and the secret with the centre's list: central edge list",
    "请与中心的列表核对 [edge] id 和密钥：central edge list",
)
_TROUBLE = Sentence("The uplink has trouble: {reason}", "上行有问题：{reason}")
_WAIT = Sentence(
    "It is tried again by itself, and nothing is lost; if it lasts, look into the centre's log.",
    "会自动重试，不会丢失内容；如果持续，请查看中心的日志。",
)


def _run(scene: Scene) -> Iterator[Finding]:
    uplink = (scene.status or {}).get("uplink") or {}
    state = uplink.get("state")
    if state in (None, "none"):
        return
    error = uplink.get("error")
    if error is None:
        yield ok(_GOOD, state=foreign(str(state)))
    elif state == "refused":
        yield failure(_REFUSED, _INVITE, reason=foreign(str(error)))
    else:
        yield warning(_TROUBLE, _WAIT, reason=foreign(str(error)))


CHECK = Check("uplink-state", Sentence("Uplink", "上行"), _run)

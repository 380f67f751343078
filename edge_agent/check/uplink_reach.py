"""Whether the centre answers at the uplink's address, and whether it is the centre that does."""

from collections.abc import Iterator

from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Sentence, failure, ok

_GOOD = Sentence("The centre answers at {url}.", "中心在 {url} 有应答。")
_NO_NAME = Sentence("The centre's name in {url} has no address.", "{url} 中的中心名称没有对应的地址。")
_NAME = Sentence(
    "Correct [uplink] url, or see to this machine's name service: resolvectl status",
    "请改正 [uplink] url，或检查本机的域名服务：resolvectl status",
)
_REFUSED = Sentence("Nothing listens at {url}.", "{url} 没有服务在监听。")
_START = Sentence(
    "Start the centre (central run), or the tunnel to it, and check the port.",
    "请启动中心（central run）或通往它的隧道，并检查端口。",
)
_SILENT = Sentence("Nothing answers at {url}.", "{url} 无应答。")
_NETWORK = Sentence(
    "Check the network and the firewall between here and there; readings are kept meanwhile.",
    "请检查两端之间的网络和防火墙；期间读数会保存在本地。",
)
_TLS = Sentence("The centre's certificate is not accepted: {reason}", "不接受中心的证书：{reason}")
_CERTIFICATE = Sentence(
    "Check this machine's date, and that the certificate is for the name in [uplink] url and has not ended.",
    "请检查本机日期，以及证书是否对应 [uplink] url 中的名称、是否已过期。",
)
_PORTAL = Sentence(
    "Something else than the centre answers at {url}: HTTP {status}, {kind}{to}.",
    "在 {url} 应答的不是中心：HTTP {status}，{kind}{to}。",
)
_SIGN_IN = Sentence(
    "A sign-in page or a proxy stands between: sign this machine in, or have the network let it through; "
    "else correct the port in [uplink] url.",
    "中间有登录页面或代理：请让本机登录，或在网络中放行；否则请改正 [uplink] url 中的端口。",
)
_FAILS = Sentence("The centre at {url} fails: HTTP {status}.", "位于 {url} 的中心出错：HTTP {status}。")
_LOG = Sentence("Look into the centre's log; readings are kept meanwhile.", "请查看中心的日志；期间读数会保存在本地。")
_OTHER = Sentence("The centre at {url} cannot be reached: {reason}", "无法连接位于 {url} 的中心：{reason}")
_ERRORS = {
    "name": (_NO_NAME, _NAME),
    "refused": (_REFUSED, _START),
    "silent": (_SILENT, _NETWORK),
    "tls": (_TLS, _CERTIFICATE),
}
_SERVER_ERRORS = range(500, 600)


def _run(scene: Scene) -> Iterator[Finding]:
    centre = scene.centre
    if centre is None or scene.settings is None or scene.settings.uplink is None:
        return
    url = scene.settings.uplink.url
    if centre.error is not None:
        text, remedy = _ERRORS.get(centre.error, (_OTHER, _NETWORK))
        yield failure(text, remedy, url=url, reason=centre.location or centre.error)
    elif centre.status in _SERVER_ERRORS:
        yield failure(_FAILS, _LOG, url=url, status=centre.status)
    elif centre.status != 200 or not centre.is_ours:
        to = f" -> {centre.location}" if centre.location else ""
        yield failure(_PORTAL, _SIGN_IN, url=url, status=centre.status, kind=centre.content_type, to=to)
    else:
        yield ok(_GOOD, url=url)


CHECK = Check("uplink-reach", Sentence("Centre", "中心"), _run)

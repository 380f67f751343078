"""Whether the gateway has what it shows to the centre to be let in."""

from collections.abc import Iterator
from datetime import UTC, datetime

from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Sentence, failure, foreign, note, ok, warning
from edge_agent.config import Settings
from edge_agent.credential import UplinkError, read_secret
from edge_agent.identity import load_identity

# It renews itself at two thirds of its life, so that at nine tenths something keeps it from that.
_LATE = 0.9
_SECRET = Sentence("The gateway's secret is in {file}, closed to others.", "网关密钥在 {file} 中，其他账号不可读。")
_GOOD = Sentence("The gateway's certificate lasts until {until}.", "网关证书有效期至 {until}。")
_BAD = Sentence("The gateway cannot show itself to the centre: {reason}", "网关无法向中心证明自己：{reason}")
_INVITE = Sentence(
    "If it is lost, make another one at the centre: central edge invite SITE --id {edge} --secret-file {name}",
    "如果密钥丢失，请在中心重新生成：central edge invite SITE --id {edge} --secret-file {name}",
)
_NEW = Sentence(
    "This gateway is not enrolled at the centre: it stores and sends nothing.",
    "本网关还没有在中心登记：只存储，不上传。",
)
_ENROL = Sentence(
    "Make a code at the centre (central edge invite SITE --id {edge}), then here: edge enroll {url} CODE",
    "请在中心生成登记码（central edge invite SITE --id {edge}），再在这里执行：edge enroll {url} CODE",
)
_OVER = Sentence("The gateway's certificate ended on {until}.", "网关证书已于 {until} 过期。")
_SOON = Sentence(
    "The gateway's certificate ends on {until} and has not been renewed.", "网关证书将于 {until} 过期，仍未续期。"
)
_RENEW = Sentence(
    "The running gateway renews it by itself as soon as it reaches the centre: see to the uplink.",
    "正在运行的网关一旦连上中心就会自动续期：请检查上行。",
)
_NONE = Sentence(
    "The settings have no [uplink]: this gateway only stores.", "设置中没有 [uplink]：本网关只存储，不上传。"
)
_ADD = Sentence(
    "To report to a centre, add [uplink] as in config/edge.example.toml.",
    "要向中心上报，请参照 config/edge.example.toml 添加 [uplink]。",
)


def _run(scene: Scene) -> Iterator[Finding]:
    settings = scene.settings
    if settings is None:
        return
    if settings.uplink is None:
        yield note(_NONE, _ADD)
    elif (file := settings.uplink.secret_file) is None:
        # By a broker nobody enrols: the centre's own door is another address.
        url = "URL" if settings.uplink.is_mqtt else settings.uplink.url
        yield _certificate(settings, url, datetime.fromtimestamp(scene.now, UTC))
    else:
        try:
            read_secret(file)
        except UplinkError as error:
            yield failure(_BAD, _INVITE, reason=foreign(str(error)), edge=settings.edge_id, name=file.name)
        else:
            yield ok(_SECRET, file=file)


def _certificate(settings: Settings, url: str, now: datetime) -> Finding:
    words = {"edge": settings.edge_id, "url": url}
    try:
        identity = load_identity(settings.data, settings.edge_id)
    except UplinkError as error:
        return failure(_BAD, _ENROL, **words, reason=foreign(str(error)))
    if identity is None:
        return failure(_NEW, _ENROL, **words)
    words["until"] = f"{identity.not_after:%Y-%m-%d}"
    if identity.is_over(now):
        return failure(_OVER, _ENROL, **words)
    is_late = now > identity.not_before + (identity.not_after - identity.not_before) * _LATE
    return warning(_SOON, _RENEW, **words) if is_late else ok(_GOOD, **words)


CHECK = Check("uplink-identity", Sentence("Gateway's identity", "网关身份"), _run)

"""Whether doors can decide while the centre is away, and by how old a list."""

from collections.abc import Iterator

from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Sentence, failure, foreign, ok, warning
from edge_agent.rules import RuleKeeper, RulesRefused

_DAY_S, _WEEK_S = 86_400, 604_800
_GOOD = Sentence(
    "Doors decide by rules version {version}, confirmed {hours} h ago.",
    "门按第 {version} 版规则判定，{hours} 小时前确认过。",
)
_NONE = Sentence("There are no access rules yet: no card opens a door.", "还没有门禁规则：任何卡都开不了门。")
_FETCH = Sentence(
    "Let the gateway reach the centre once; it then keeps the rules itself.",
    "请让网关连上一次中心；之后规则由网关自己保存。",
)
_REFUSED = Sentence("The access rules on disk cannot be used: {reason}", "磁盘上的门禁规则无法使用：{reason}")
_AGAIN = Sentence(
    "Remove {file} and let the gateway reach the centre: it fetches them anew.",
    "请删除 {file} 并让网关连上中心：它会重新获取。",
)
_OLD = Sentence(
    "Doors decide by rules that the centre confirmed {hours} h ago: whoever lost a right since still gets in.",
    "门按中心 {hours} 小时前确认的规则判定：此后被取消权限的人仍能进入。",
)
_CONNECT = Sentence("See to the link to the centre: edge status", "请检查与中心的连接：edge status")


def _run(scene: Scene) -> Iterator[Finding]:
    settings = scene.settings
    if settings is None or not any(device.profile.kind == "door" for device in scene.devices):
        return
    rules = RuleKeeper(settings.data, settings.edge_id, wall=lambda: round(scene.now * 1000))
    try:
        rules.load()
    except RulesRefused as error:
        yield failure(_REFUSED, _AGAIN, reason=foreign(str(error)), file=settings.data / "access-rules.json")
        return
    if rules.version is None:
        yield failure(_NONE, _FETCH)
        return
    told = ((scene.status or {}).get("access") or {}).get("rules_age_s")
    age_s = rules.silent_s if told is None else float(told)
    words = {"version": rules.version, "hours": round(age_s / 3600)}
    if age_s > _WEEK_S:
        yield failure(_OLD, _CONNECT, **words)
    else:
        yield warning(_OLD, _CONNECT, **words) if age_s > _DAY_S else ok(_GOOD, **words)


CHECK = Check("door-rules", Sentence("Access rules", "门禁规则"), _run)

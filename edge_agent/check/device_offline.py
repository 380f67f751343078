"""Whether every device answers the running gateway."""

from collections.abc import Iterator, Mapping
from typing import Any

from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Sentence, failure, foreign, note, ok, warning

_GOOD = Sentence("All {count} devices answer.", "全部 {count} 台设备均有应答。")
_NEVER = Sentence(
    "Device '{device}' (bus '{bus}', address {address}) has never answered since the start: {reason}",
    "设备“{device}”（总线“{bus}”，地址 {address}）自启动以来从未应答：{reason}",
)
_SINCE = Sentence(
    "Device '{device}' (bus '{bus}', address {address}) has not answered since {since}: {reason}",
    "设备“{device}”（总线“{bus}”，地址 {address}）自 {since} 起没有应答：{reason}",
)
_FIND = Sentence(
    "Check its address, baud rate and the wires A and B, or look what is on the line with: edge scan {bus}",
    "请检查地址、波特率和 A/B 线，或查看线路上有什么：edge scan {bus}",
)
_POWER = Sentence(
    "Check its power and its cable; it was there before. Try it with: edge read {device}",
    "它以前在线，请检查供电和线缆。可以试读：edge read {device}",
)
_DEGRADED = Sentence("Device '{device}' answers, but not well: {reason}", "设备“{device}”有应答，但不正常：{reason}")
_FIT = Sentence(
    "Check that its profile {profile} is that of the model: edge read {device}",
    "请检查档案 {profile} 是否与型号相符：edge read {device}",
)
_WAITING = Sentence("Device '{device}' has not been asked yet.", "设备“{device}”还没有被询问过。")
_UNSAID = Sentence("no reason was given", "没有给出原因")


def _run(scene: Scene) -> Iterator[Finding]:
    rows = scene.live("devices")
    # One line that is down is said once, not once for each device on it.
    down = {row["id"] for row in scene.live("buses") if row.get("state") != "up"}
    found = [finding for row in rows if row["bus"] not in down and (finding := _judge(row)) is not None]
    yield from found
    if rows and not found and not down:
        yield ok(_GOOD, count=len(rows))


def _judge(row: Mapping[str, Any]) -> Finding | None:
    reason = foreign(str(row["error"])) if row.get("error") else _UNSAID
    words = {"device": row["id"], "bus": row["bus"], "address": row.get("address", "-"), "reason": reason}
    match row["state"]:
        case "offline" if row.get("last_ok_at") is None:
            return failure(_NEVER, _FIND, **words)
        case "offline":
            return failure(_SINCE, _POWER, **words, since=row["last_ok_at"])
        case "degraded":
            return warning(_DEGRADED, _FIT, **words, profile=row["profile"])
        case "unknown" if row.get("error"):
            return warning(_NEVER, _FIND, **words)
        case "unknown":
            return note(_WAITING, device=row["id"])
    return None


CHECK = Check("device-offline", Sentence("Devices that answer", "设备在线"), _run)

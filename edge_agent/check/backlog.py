"""Whether the centre gets what is stored, in time."""

from collections.abc import Iterator, Mapping
from typing import Any

from edge_agent.agent import lanes_json
from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.text import is_there
from edge_agent.check.finding import Check, Finding, Sentence, failure, note, ok, warning
from edge_agent.store_file import StoreError, read_lanes
from edge_agent.thinned import read_tally

_HOUR_S, _DAY_S = 3_600, 86_400
_GOOD = Sentence("Nothing has waited for the centre for long.", "没有长时间等待中心的记录。")
_WAITS = Sentence(
    "{count} records of the {lane} lane wait for the centre, the oldest for {hours} h.",
    "{lane} 通道有 {count} 条记录等待中心，最早的已等 {hours} 小时。",
)
_LOOK = Sentence(
    "See why the uplink does not deliver: edge status. Nothing is lost meanwhile as long as the disk has room.",
    "请查看上行为何没有送达：edge status。只要磁盘有空间，期间不会丢失任何内容。",
)
_ALONE = Sentence(
    "{count} records wait, and the settings name no centre.",
    "有 {count} 条记录在等待，而设置中没有中心。",
)
_TOMBSTONES = Sentence(
    "{count} records of the {lane} lane were given up and only counted.",
    "{lane} 通道有 {count} 条记录已放弃，只留下计数。",
)
_TELL = Sentence(
    "Make room and bring the centre back; the numbers of the lost records are kept at the centre.",
    "请腾出空间并恢复中心；中心会保留丢失记录的编号。",
)


def _run(scene: Scene) -> Iterator[Finding]:
    lanes = _lanes(scene)
    if lanes is None:
        return
    found = [
        failure(_TOMBSTONES, _TELL, lane=lane, count=row["tombstones"])
        for lane, row in lanes.items()
        if row.get("tombstones")
    ]
    if scene.settings is not None and scene.settings.uplink is None:
        if count := sum(row.get("pending", 0) for row in lanes.values()):
            found.append(note(_ALONE, count=count))
    else:
        found += _waiting(lanes)
    yield from found or [ok(_GOOD)]


def _waiting(lanes: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    for lane, row in lanes.items():
        age_s = row.get("oldest_age_s") or 0
        words = {"lane": lane, "count": row.get("pending", 0), "hours": round(age_s / _HOUR_S)}
        if age_s > _HOUR_S:
            yield failure(_WAITS, _LOOK, **words) if age_s > _DAY_S else warning(_WAITS, _LOOK, **words)


def _lanes(scene: Scene) -> Mapping[str, Mapping[str, Any]] | None:
    if scene.status is not None:
        lanes: Mapping[str, Mapping[str, Any]] = scene.status.get("lanes") or {}
        return lanes
    if scene.settings is None or not is_there(scene.settings.store_path):
        return None
    try:
        return lanes_json(read_lanes(scene.settings.store_path), read_tally(scene.settings.store_path))
    except StoreError:
        return None  # the check of the store says so


CHECK = Check("backlog", Sentence("Waiting for the centre", "等待上传"), _run)

"""How worn the flash memory is that the data stand on."""

from collections.abc import Iterator
from pathlib import Path

from edge_agent.check.fact.mount import mount_of
from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.text import is_there, read
from edge_agent.check.finding import Check, Finding, Sentence, failure, note, ok, warning

_OLD, _SPENT = 8, 11  # tenths of its life used up to, eleven is beyond it
_GOOD = Sentence("{disk} has used up at most {percent} % of its life.", "{disk} 的寿命最多用去 {percent}%。")
_WORN = Sentence("{disk} has used up to {percent} % of its life.", "{disk} 的寿命已用去多达 {percent}%。")
_END = Sentence("{disk} is past the end of its life.", "{disk} 已超过寿命终点。")
_REPLACE = Sentence("Plan its replacement and keep a copy of the data folder.", "请安排更换，并备份数据文件夹。")
_CARD = Sentence(
    "The data are on an SD card ({disk}), which does not say how worn it is.",
    "数据在 SD 卡（{disk}）上，它不会报告磨损程度。",
)
_BETTER = Sentence(
    "Use an industrial card (SLC or pSLC), an eMMC or an SSD for a site that must last.",
    "需要长期运行的现场，请使用工业级存储卡（SLC 或 pSLC）、eMMC 或固态硬盘。",
)


def _run(scene: Scene) -> Iterator[Finding]:
    disk = _disk(scene)
    if disk is None or not disk.name.startswith("mmcblk"):
        return
    kind = read(disk / "device/type")
    used = _used(read(disk / "device/life_time"))
    if kind == "SD":
        yield note(_CARD, _BETTER, disk=disk.name)
    elif used is not None:
        words = {"disk": disk.name, "percent": used * 10}
        if used >= _SPENT:
            yield failure(_END, _REPLACE, **words)
        else:
            yield warning(_WORN, _REPLACE, **words) if used >= _OLD else ok(_GOOD, **words)


def _disk(scene: Scene) -> Path | None:
    """Find the disk that the data folder's file system is on."""
    mount = None if scene.settings is None else mount_of(scene, scene.settings.data)
    if mount is None:
        return None
    part = scene.sys / "dev/block" / mount.device
    if not is_there(part):
        return None
    place = part.resolve()
    return place.parent if is_there(place / "partition") else place


def _used(text: str | None) -> int | None:
    """Take the worse of eMMC's two estimates. Source: JEDEC eMMC 5.1, DEVICE_LIFE_TIME_EST_TYP_A and _B."""
    try:
        estimates = [int(word, 16) for word in (text or "").split()]
    except ValueError:
        return None
    return max(estimates, default=0) or None


CHECK = Check("disk-wear", Sentence("Flash wear", "闪存磨损"), _run)

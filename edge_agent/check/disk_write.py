"""Whether the data folder's file system can still be written to."""

from collections.abc import Iterator

from edge_agent.check.fact.mount import mount_of
from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Sentence, failure, ok

_GOOD = Sentence("{point} is mounted for writing.", "{point} 以可写方式挂载。")
_READ_ONLY = Sentence(
    "{point} ({source}) is mounted read-only: nothing can be stored. A worn-out SD card ends like this.",
    "{point}（{source}）以只读方式挂载：什么都存不下。SD 卡老化后就会这样。",
)
_LOOK = Sentence(
    "Look for its errors with: dmesg | grep -i error; save the data folder and replace the card or disk.",
    "请查看错误：dmesg | grep -i error；保存数据文件夹，并更换存储卡或磁盘。",
)


def _run(scene: Scene) -> Iterator[Finding]:
    if scene.settings is None or (mount := mount_of(scene, scene.settings.data)) is None:
        return
    words = {"point": mount.point, "source": mount.source}
    yield failure(_READ_ONLY, _LOOK, **words) if mount.is_read_only else ok(_GOOD, **words)


CHECK = Check("disk-write", Sentence("Disk writable", "磁盘可写"), _run)

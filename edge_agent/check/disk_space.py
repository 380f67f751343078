"""Whether there is room for what must be kept while the centre is away."""

import os
from collections.abc import Iterator

from edge_agent.check.fact.mount import nearest
from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.text import size
from edge_agent.check.finding import Check, Finding, Sentence, failure, ok, warning

# Thirty days offline with 500 meters are 2 GB.
_ENOUGH, _LEAST = 2_000_000_000, 200_000_000
_ENOUGH_FILES = 1000
_GOOD = Sentence("{free} are free in {folder}.", "{folder} 有 {free} 可用空间。")
_LITTLE = Sentence("Only {free} are free in {folder}.", "{folder} 只剩 {free} 可用空间。")
_FULL = Sentence(
    "Only {free} are free in {folder}: soon no reading can be stored.", "{folder} 只剩 {free}：很快将无法存储读数。"
)
_ROOM = Sentence(
    "Free some space (journalctl --vacuum-size=100M; apt-get clean), or move [edge] data to a larger disk.",
    "请腾出空间（journalctl --vacuum-size=100M；apt-get clean），或把 [edge] data 移到更大的磁盘。",
)
_FILES = Sentence(
    "Only {count} more files can be made in {folder}: the disk's table of files is full.",
    "{folder} 中只能再创建 {count} 个文件：磁盘的文件表已满。",
)
_FEWER = Sentence(
    "Remove small files that nobody needs: du --inodes -x / | sort -n | tail",
    "请删除无用的小文件：du --inodes -x / | sort -n | tail",
)


def _run(scene: Scene) -> Iterator[Finding]:
    if scene.settings is None:
        return
    folder = nearest(scene.settings.data)
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    # Some file systems make their tables as they go and say 0 of 0.
    if found.f_files and found.f_favail < _ENOUGH_FILES:
        yield failure(_FILES, _FEWER, count=found.f_favail, folder=folder)
    yield judge(free, str(folder))


def judge(free: int, folder: str) -> Finding:
    """Judge the free bytes."""
    words = {"free": size(free), "folder": folder}
    if free < _LEAST:
        return failure(_FULL, _ROOM, **words)
    return warning(_LITTLE, _ROOM, **words) if free < _ENOUGH else ok(_GOOD, **words)


CHECK = Check("disk-space", Sentence("Disk space", "磁盘空间"), _run)

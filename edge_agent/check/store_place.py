"""Whether the store is on a file system that keeps it through a power cut."""

from collections.abc import Iterator

from edge_agent.check.fact.mount import mount_of
from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Sentence, failure, ok, warning

_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "fuse.glusterfs", "ceph", "afs"})
_VOLATILE = frozenset({"tmpfs", "ramfs"})
_GOOD = Sentence(
    "The data folder is on {kind} ({source}), which keeps what was stored.",
    "数据文件夹在 {kind}（{source}）上，存下的内容不会丢。",
)
_FAR = Sentence(
    "The data folder is on a network file system ({kind}, {source}): its locks cannot be relied on, and the store may break.",
    "数据文件夹在网络文件系统（{kind}，{source}）上：文件锁不可靠，存储可能损坏。",
)
_GONE = Sentence(
    "The data folder is in memory ({kind}): every reading that the centre does not have is lost at a power cut.",
    "数据文件夹在内存中（{kind}）：断电时，中心还没有收到的读数会全部丢失。",
)
_OVERLAY = Sentence(
    "The data folder is on an overlay: in a container it goes with the container, and over a read-only root it is in memory.",
    "数据文件夹在 overlay 上：在容器中会随容器消失，在只读根文件系统上则位于内存中。",
)
_MOVE = Sentence(
    "Set [edge] data to a folder on a disk of this machine (ext4 is good), or give the container a volume there.",
    "请把 [edge] data 设为本机磁盘上的文件夹（ext4 即可），容器则请在那里挂载卷。",
)


def _run(scene: Scene) -> Iterator[Finding]:
    if scene.settings is None or (mount := mount_of(scene, scene.settings.data)) is None:
        return
    words = {"kind": mount.kind, "source": mount.source}
    if mount.kind in _NETWORK:
        yield failure(_FAR, _MOVE, **words)
    elif mount.kind in _VOLATILE:
        yield failure(_GONE, _MOVE, **words)
    else:
        yield warning(_OVERLAY, _MOVE, **words) if mount.kind == "overlay" else ok(_GOOD, **words)


CHECK = Check("store-place", Sentence("Place of the store", "存储位置"), _run)

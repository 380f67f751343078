"""Whether the store's journal stays small."""

from collections.abc import Iterator

from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.text import is_there, size
from edge_agent.check.finding import Check, Finding, Sentence, ok, warning

_MOST = 64_000_000
_GOOD = Sentence("The store's journal has {size}.", "存储日志为 {size}。")
_LARGE = Sentence(
    "The store's journal {path} has grown to {size}: something reads the store without end.",
    "存储日志 {path} 已增长到 {size}：有程序一直在读存储。",
)
_CLOSE = Sentence(
    "Close other programs that have it open (fuser {path}) and start the gateway again: the journal is then folded in.",
    "请关闭其他打开它的程序（fuser {path}），并重新启动网关：日志随后会被合并。",
)


def _run(scene: Scene) -> Iterator[Finding]:
    if scene.settings is None or not is_there(scene.settings.store_path):
        return
    path = scene.settings.store_path.with_name(scene.settings.store_path.name + "-wal")
    count = path.stat().st_size if is_there(path) else 0
    words = {"path": path, "size": size(count)}
    yield warning(_LARGE, _CLOSE, **words) if count > _MOST else ok(_GOOD, **words)


CHECK = Check("store-wal", Sentence("Store's journal", "存储日志"), _run)

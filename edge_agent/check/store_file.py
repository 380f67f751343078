"""Whether the store is whole and this gateway's."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.store import open_store
from edge_agent.check.fact.text import size
from edge_agent.check.finding import Check, Finding, Sentence, failure, foreign, note, ok
from edge_agent.store_file import ASIDE, StoreError, explained, read_identity, read_lanes

_LONGEST_S = 2.0
_STEPS = 20_000  # of SQLite's machine between two looks at the time
_GOOD = Sentence("The store {path} ({size}) is whole.", "存储 {path}（{size}）完好。")
_PARTLY = Sentence(
    "The store {path} ({size}) is too large to be looked through in {seconds:g} s; as far as it was, it is whole.",
    "存储 {path}（{size}）太大，无法在 {seconds:g} 秒内检查完；已检查的部分完好。",
)
_WHOLE = Sentence(
    "Look through all of it when the gateway is stopped: sqlite3 {path} 'PRAGMA integrity_check'",
    "请在网关停止时完整检查：sqlite3 {path} 'PRAGMA integrity_check'",
)
_NONE = Sentence("There is no store yet; it is made when the gateway first runs.", "还没有存储；网关首次运行时创建。")
_DAMAGED = Sentence("The store {path} is damaged: {reason}", "存储 {path} 已损坏：{reason}")
_UNREADABLE = Sentence("The store cannot be used: {reason}", "存储无法使用：{reason}")
_CLOSED = Sentence("The account {account} may not read the store {path}.", "账号 {account} 无权读取存储 {path}。")
_ACCOUNT = Sentence(
    "Use the gateway's account: sudo -u OWNER edge doctor", "请使用网关的账号：sudo -u OWNER edge doctor"
)
_DO = Sentence(
    "Do as it says; if nothing helps, move the file and its -wal aside and keep them.",
    "请按提示处理；如无效，请把该文件连同其 -wal 移到别处并保存。",
)
_OTHER = Sentence(
    "The store {path} is gateway '{other}', not '{edge}'.", "存储 {path} 属于网关“{other}”，而不是“{edge}”。"
)
_CORRECT = Sentence(
    "Correct [edge] id, or set [edge] data to another folder.", "请改正 [edge] id，或把 [edge] data 设为其他文件夹。"
)


def _run(scene: Scene) -> Iterator[Finding]:
    if scene.settings is None:
        return
    path = scene.settings.store_path
    try:
        if not path.exists():
            yield note(_NONE)
            return
        identity = read_identity(path)
        read_lanes(path)
        reason, is_through = _look_through(path)
    except PermissionError:
        yield failure(_CLOSED, _ACCOUNT, path=path, account=scene.account.name)
        return
    except (StoreError, OSError) as error:
        yield failure(_UNREADABLE, _DO, reason=foreign(str(error)))
        return
    words = {"path": path, "size": size(path.stat().st_size)}
    if identity.edge_id != scene.settings.edge_id:
        yield failure(_OTHER, _CORRECT, **words, other=identity.edge_id, edge=scene.settings.edge_id)
    if reason is not None:
        yield failure(_DAMAGED, foreign(ASIDE), **words, reason=reason)
    elif is_through:
        yield ok(_GOOD, **words)
    else:
        yield note(_PARTLY, _WHOLE, **words, seconds=_LONGEST_S)


def _look_through(path: Path, seconds: float = _LONGEST_S) -> tuple[str | None, bool]:
    """Look for damage without writing; tell what there is, and whether all was looked at.

    Raises: StoreError.
    """
    until = time.monotonic() + seconds
    try:
        with open_store(path) as connection:
            connection.set_progress_handler(lambda: int(time.monotonic() > until), _STEPS)
            rows = connection.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            return None, False
        raise explained(path, error) from None
    except sqlite3.Error as error:
        raise explained(path, error) from None
    text = str(rows[0][0]) if rows else "ok"
    return (None if text == "ok" else text), True


CHECK = Check("store-file", Sentence("Store", "存储"), _run)

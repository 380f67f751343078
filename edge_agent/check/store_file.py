"""Whether the store is whole and this gateway's."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.store import open_store
from edge_agent.check.fact.text import size
from edge_agent.check.finding import Check, Finding, Sentence, failure, foreign, note, ok, warning
from edge_agent.incident import COPIED, Incident, read_incidents
from edge_agent.live import iso_ms
from edge_agent.store_file import ASIDE, StoreError, explained, read_identity, read_lanes

_RECENT_MS = 30 * 86_400_000
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
_DO = Sentence("Do as it says.", "请按提示处理。")
_SALVAGED = Sentence(
    "On {day} the store was damaged and mended itself: {saved} records were saved, {lost} are lost.",
    "{day} 存储曾损坏并已自行修复：救出 {saved} 条记录，丢失 {lost} 条。",
)
_WORN = Sentence(
    "Exchange the disk if this comes again. When nobody needs the damaged file any more, remove {kept}.",
    "如再次发生，请更换磁盘。无人再需要损坏的文件时，请删除 {kept}。",
)
_COPIED = Sentence(
    "On {day} the store was found to be a copy or put back from a backup, and began a new epoch.",
    "{day} 发现存储是副本或由备份恢复，已开始新纪元。",
)
_ONE_BOX = Sentence(
    "If another box runs with the same data, switch one off: the centre takes only the one that began last.",
    "如有另一台设备使用同样的数据，请关闭其中一台：中心只接收最后开始的那台。",
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
        incidents = read_incidents(path)
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
    if incidents and time.time() * 1000 - incidents[-1].at < _RECENT_MS:
        yield _told(incidents[-1])
    if reason is not None:
        yield failure(_DAMAGED, foreign(ASIDE), **words, reason=reason)
    elif is_through:
        yield ok(_GOOD, **words)
    else:
        yield note(_PARTLY, _WHOLE, **words, seconds=_LONGEST_S)


def _told(incident: Incident) -> Finding:
    day = iso_ms(incident.at)[:10]
    if incident.kind == COPIED:
        return warning(_COPIED, _ONE_BOX, day=day)
    saved, lost, kept = (incident.detail.get(key) for key in ("saved", "lost", "kept_as"))
    return warning(_SALVAGED, _WORN, day=day, saved=saved, lost=lost, kept=kept)


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

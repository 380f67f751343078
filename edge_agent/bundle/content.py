"""What goes into a support archive, and what of it was left out."""

import platform
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, NamedTuple

from drivers.profile import profile_directory, profile_names
from edge_agent.agent import VERSION, lanes_json
from edge_agent.bundle.secret import Secrets
from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.store import open_store
from edge_agent.check.fact.text import is_there, read
from edge_agent.check.finding import Sentence
from edge_agent.live import iso_ms
from edge_agent.store_file import StoreError, peek_records, read_identity, read_lanes
from edge_agent.thinned import read_tally
from protocols.sync import Lane, Reading, Record

_PEEKED = 20
_LOG_LINES = 500
_LOG_BYTES = 512 * 1024
_JOURNAL = ("journalctl", "--no-pager", "--output=short-iso", "-u", "gatehouse-edge", "-n", str(_LOG_LINES))
_JOURNAL_S = 5.0

_DOCTOR = Sentence("what 'edge doctor --json' found", "“edge doctor --json”的结果")
_SETTINGS = Sentence("the settings without their secrets", "去除密钥后的设置")
_STATUS = Sentence("what 'edge status --json' says", "“edge status --json”的结果")
_GUARD = Sentence("registers in doubt", "存疑的示数")
_VERSIONS = Sentence("versions of the program, the system and the libraries", "程序、系统和库的版本")
_PROFILE = Sentence("a profile in use", "使用中的档案")
_STORE = Sentence("how large the store is and how far each lane", "存储的大小和各通道的进度")
_BUFFER = Sentence(
    "the oldest {count} records of each lane, without their values", "各通道最早的 {count} 条记录，不含数值"
)
_LOG = Sentence("the last {count} lines of the log", "日志的最后 {count} 行")
_COMMENTS = Sentence("comments of the settings", "设置文件中的注释")
_PERSONAL = Sentence(
    "card numbers, the contents of events and the values of waiting readings", "卡号、事件内容和待传读数的数值"
)
_FILE = Sentence("the content of {path}", "{path} 的内容")
_NO_SETTINGS = Sentence(
    "the settings: not valid TOML, so that nobody can say what of them is secret",
    "设置：不是有效的 TOML，无法判断其中哪些是密钥",
)
_NOT_RUNNING = Sentence("{name}: the gateway does not run, or did not answer", "{name}：网关没有运行，或没有应答")
_NO_STORE = Sentence("store.json: there is no store that could be found", "store.json：没有找到存储")
_BAD_STORE = Sentence("store.json: {reason}", "store.json（存储）：{reason}")
_NO_LOG = Sentence("log.txt: {path} cannot be read ({reason})", "log.txt：无法读取 {path}（{reason}）")
_NO_JOURNAL = Sentence(
    "log.txt: no journal of the service gatehouse-edge; name a log file with --log",
    "log.txt：没有服务 gatehouse-edge 的日志；请用 --log 指定日志文件",
)


class Part(NamedTuple):
    """A file of the archive: a document, or a text that may be a foreign program's."""

    name: str
    what: Sentence
    content: Any
    is_foreign: bool = False


class Content(NamedTuple):
    parts: list[Part]
    left_out: list[Sentence]


def gather(scene: Scene, secrets: Secrets, doctor: Mapping[str, Any], log: Path | None) -> Content:
    """Gather all there is to tell; nothing that fails keeps the rest from being told."""
    parts = [Part("doctor.json", _DOCTOR, doctor), _versions(scene)]
    left_out = [_COMMENTS, _PERSONAL, *(_FILE.fill(path=path) for path in secrets.files)]
    if secrets.settings is None:
        left_out.append(_NO_SETTINGS)
    else:
        parts.append(Part("settings.json", _SETTINGS, secrets.settings))
    parts += _profiles(secrets.settings or {})
    for name, what, found in (
        ("status.json", _STATUS, scene.status),
        ("guard.json", _GUARD, None if scene.doubts is None else list(scene.doubts)),
    ):
        if found is None:
            left_out.append(_NOT_RUNNING.fill(name=name))
        else:
            parts.append(Part(name, what, found))
    for piece in (*_store(scene), _log(log)):
        if isinstance(piece, Part):
            parts.append(piece)
        else:
            left_out.append(piece)
    return Content(parts, left_out)


def _versions(scene: Scene) -> Part:
    release = dict(line.split("=", 1) for line in (read(scene.etc / "os-release") or "").splitlines() if "=" in line)
    packages = {found.metadata["Name"]: found.version for found in distributions()}
    return Part(
        "versions.json",
        _VERSIONS,
        {
            "gatehouse": VERSION,
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "kernel": platform.release(),
            "machine": platform.machine(),
            "system": release.get("PRETTY_NAME", "").strip('"'),
            "model": (read(scene.proc / "device-tree/model") or "").strip("\0"),
            "packages": dict(sorted(packages.items())),
        },
    )


def _profiles(settings: Mapping[str, Any]) -> Iterator[Part]:
    """Give the profiles that the settings name; only a listed name is opened."""
    rows = settings.get("device")
    wanted = {row.get("profile") for row in rows if isinstance(row, Mapping)} if isinstance(rows, list) else set()
    folder = profile_directory()
    for name in profile_names(folder):
        if name in wanted and (text := read(folder / f"{name}.toml")) is not None:
            yield Part(f"profiles/{name}.toml", _PROFILE, text + "\n")


def _store(scene: Scene) -> Iterator[Part | Sentence]:
    """Describe the store: how much there is, and nothing of what it says."""
    if scene.settings is None or not is_there(scene.settings.store_path):
        yield _NO_STORE
        return
    path = scene.settings.store_path
    try:
        identity = read_identity(path)
        lanes = lanes_json(read_lanes(path), read_tally(path))
        waiting = {lane.word: [_waiting(*row) for row in peek_records(path, lane, _PEEKED)] for lane in Lane}
        counts = _counts(path)
    except (StoreError, sqlite3.Error, OSError) as error:
        yield _BAD_STORE.fill(reason=str(error))
        return
    wal = path.with_name(path.name + "-wal")
    sizes = {"bytes": path.stat().st_size, "journal_bytes": wal.stat().st_size if is_there(wal) else 0}
    epoch = f"{identity.epoch:016x}"
    document = {"edge_id": identity.edge_id, "epoch": epoch, **sizes, "lanes": lanes, **counts}
    yield Part("store.json", _STORE, document)
    yield Part("buffer.json", _BUFFER.fill(count=_PEEKED), waiting)


def _waiting(seq: int, record: Record) -> dict[str, Any]:
    """Describe a record without what it says: use is personal, and an event may name a card."""
    if isinstance(record, Reading):
        series = {"device": record.series.device, "point": record.series.point, "unit": record.series.unit}
        return {"seq": seq, "type": "reading", **series, "at": iso_ms(record.taken_at), "quality": record.quality.word}
    return {"seq": seq, "type": "event", "kind": record.kind, "at": iso_ms(record.at)}


def _counts(path: Path) -> dict[str, Any]:
    with open_store(path) as connection:
        series = connection.execute("SELECT count(*) FROM series").fetchone()[0]
        notes = connection.execute("SELECT count(*) FROM note").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        free = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return {"schema": version, "series": series, "guarded_registers": notes, "pages": pages, "free_pages": free}


def _log(log: Path | None) -> Part | Sentence:
    """Give the last lines of the log: of a file that is named, else of the service's journal."""
    if log is not None:
        try:
            with log.open("rb") as file:
                file.seek(max(0, log.stat().st_size - _LOG_BYTES))
                text = file.read().decode(errors="replace")
        except OSError as error:
            return _NO_LOG.fill(path=log, reason=error.strerror or str(error))
    else:
        found = _journal(_JOURNAL)
        if not found:
            return _NO_JOURNAL
        text = found
    lines = text.splitlines()[-_LOG_LINES:]
    return Part("log.txt", _LOG.fill(count=len(lines)), "\n".join(lines) + "\n", is_foreign=True)


def _journal(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, timeout=_JOURNAL_S, check=True)  # noqa: S603  # a fixed command
    except (OSError, subprocess.SubprocessError):
        return ""
    text = done.stdout.decode(errors="replace")
    return "" if text.startswith("-- No") else text

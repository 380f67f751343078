"""``edge bundle``: one file for whoever is asked for help, without secrets."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from edge_agent.bundle.archive import write_archive
from edge_agent.bundle.content import gather
from edge_agent.bundle.redact import Scrubber
from edge_agent.bundle.secret import find_secrets
from edge_agent.check import CHECKS
from edge_agent.check.finding import Sentence
from edge_agent.commands.doctor import as_document, examine
from edge_agent.commands.shell import WRONG, Json, fail, language, out, print_json
from edge_agent.config import find_config
from protocols.toml import SettingsError

_CANNOT = Sentence(
    "{path}: the archive cannot be written ({reason}). Name another file with -o.",
    "{path}：无法写入压缩包（{reason}）。请用 -o 另指定文件。",
)
_EXISTS = Sentence(
    "{path}: this file is there already and stays as it is. Name another with -o.",
    "{path}：该文件已存在，不会覆盖。请用 -o 另指定文件。",
)
_DONE = Sentence(
    "{path}: {count} files, {bytes} bytes; {removed} secrets were removed.",
    "{path}：{count} 个文件，{bytes} 字节；已去除 {removed} 处密钥。",
)
_LEFT_OUT = Sentence("Left out:", "未收入：")
_LOOK = Sentence(
    "Look through it before you send it: manifest.json lists all that is in it.",
    "发送前请先查看：manifest.json 列出了全部内容。",
)


def bundle(
    ctx: typer.Context,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Default: edge-bundle-GATEWAY-TIME.zip in this folder.")
    ] = None,
    log: Annotated[Path | None, typer.Option("--log", help="A log file; default: the service's journal.")] = None,
    as_json: Json = False,
) -> None:
    """Pack settings, profiles, status, doctor's findings and the log's end for support; secrets stay here."""
    named: Path | None = ctx.find_root().params.get("config")
    try:
        file = find_config(named)
    except SettingsError:
        file = Path("edge.toml")
    secrets = find_secrets(file)
    scene, outcomes = examine(named, CHECKS, is_quiet=as_json)
    content = gather(scene, secrets, as_document(outcomes), log)
    now = datetime.now(UTC)
    edge_id = "unknown" if scene.settings is None else scene.settings.edge_id
    path = output or Path(f"edge-bundle-{edge_id}-{now:%Y%m%dT%H%M%SZ}.zip")
    try:
        manifest = write_archive(path, content, Scrubber(secrets.values), edge_id, now)
    except FileExistsError:
        _fail(_EXISTS.fill(path=path), as_json=as_json)
    except OSError as error:
        _fail(_CANNOT.fill(path=path, reason=error.strerror or str(error)), as_json=as_json)
    if as_json:
        print_json({"ok": True, "file": str(path), **manifest})
        return
    tongue = language()
    count, removed = len(manifest["files"]), manifest["secrets_removed"]
    done = _DONE.fill(path=path, count=count, bytes=path.stat().st_size, removed=removed)
    out.print(done.within(tongue), markup=False, soft_wrap=True)
    out.print(_LEFT_OUT.within(tongue))
    for line in manifest["left_out_zh" if tongue == "zh" else "left_out"]:
        out.print(f"  {line}", markup=False, soft_wrap=True)
    out.print(_LOOK.within(tongue))


def _fail(text: Sentence, *, as_json: bool) -> NoReturn:
    fail(text.en if as_json else text.within(language()), WRONG, as_json=as_json)

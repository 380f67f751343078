"""Whether the data folder is the gateway's own."""

import os
import stat
from collections.abc import Iterator

from edge_agent.check.fact.process import gateway_pid
from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Sentence, failure, note, ok, warning

_GOOD = Sentence("The data folder {folder} is closed to others.", "数据文件夹 {folder} 不对其他账号开放。")
_NONE = Sentence(
    "There is no data folder {folder} yet; the gateway makes it.", "还没有数据文件夹 {folder}；网关会创建它。"
)
_NO_FOLDER = Sentence("{folder} is not a folder.", "{folder} 不是文件夹。")
_CHOOSE = Sentence("Choose another [edge] data.", "请改用其他 [edge] data。")
_OPEN = Sentence(
    "Others on this machine may look into the data folder {folder} (mode {mode}).",
    "本机的其他账号可以查看数据文件夹 {folder}（权限 {mode}）。",
)
_CLOSE = Sentence("Close it with: chmod 700 {folder}", "请收紧：chmod 700 {folder}")
_FOREIGN = Sentence(
    "The account {account} may not write to the data folder {folder}.", "账号 {account} 无权写入数据文件夹 {folder}。"
)
_OWN = Sentence(
    "Use the account that owns the folder, or give it to this one: chown -R {account} {folder}",
    "请使用拥有该文件夹的账号，或把它交给此账号：chown -R {account} {folder}",
)


def _run(scene: Scene) -> Iterator[Finding]:
    if scene.settings is None:
        return
    folder = scene.settings.data
    words = {"folder": folder, "account": scene.account.name}
    try:
        found = folder.stat()
    except FileNotFoundError:
        yield note(_NONE, **words)
        return
    except OSError:
        yield failure(_FOREIGN, _OWN, **words)
        return
    if not stat.S_ISDIR(found.st_mode):
        yield failure(_NO_FOLDER, _CHOOSE, **words)
        return
    is_ours = scene.account.uid in (0, found.st_uid) or os.access(folder, os.W_OK)
    if not is_ours and gateway_pid(scene) is None:
        yield failure(_FOREIGN, _OWN, **words)
    if found.st_mode & 0o077:
        yield warning(_OPEN, _CLOSE, **words, mode=f"{stat.S_IMODE(found.st_mode):04o}")
    elif is_ours:
        yield ok(_GOOD, **words)


CHECK = Check("data-folder", Sentence("Data folder", "数据文件夹"), _run)

"""Whether the gateway's account may open each serial port."""

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from edge_agent.check.fact.process import gateway_pid
from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.text import read
from edge_agent.check.finding import Check, Finding, Sentence, failure, ok

_GOOD = Sentence("{account} may open {port}.", "{account} 可以打开 {port}。")
_CLOSED = Sentence(
    "{account} may not open the serial port {port}: it is {owner}'s, group {group}, mode {mode}.",
    "{account} 无权打开串口 {port}：它属于 {owner}，组 {group}，权限 {mode}。",
)
_JOIN = Sentence(
    "Add the account to the group and start the gateway again: usermod -aG {group} {account}",
    "请把该账号加入该组并重新启动网关：usermod -aG {group} {account}",
)
_ROOT_ONLY = Sentence(
    "Give the port to a group by a udev rule, and the account to that group: "
    'SUBSYSTEM=="tty", KERNEL=="{tty}", GROUP="dialout", MODE="0660"',
    '请用 udev 规则把串口交给一个组，并把账号加入该组：SUBSYSTEM=="tty", KERNEL=="{tty}", GROUP="dialout", MODE="0660"',
)


def _run(scene: Scene) -> Iterator[Finding]:
    if scene.silence is not None:
        return  # the gateway runs as an account that cannot be seen from here, and it is that one which counts
    uid, groups, name = _who(scene)
    for _, port in scene.ports():
        try:
            found = port.stat()
        except OSError:
            continue  # that it is missing is said elsewhere
        if may_use(found, uid, groups):
            yield ok(_GOOD, account=name, port=port)
            continue
        group_may = found.st_mode & stat.S_IRGRP and found.st_mode & stat.S_IWGRP and found.st_gid != 0
        yield failure(
            _CLOSED,
            _JOIN if group_may else _ROOT_ONLY,
            account=name,
            port=port,
            owner=_name(found.st_uid),
            group=_group(found.st_gid),
            mode=f"{stat.S_IMODE(found.st_mode):04o}",
            tty=Path(os.path.realpath(port)).name,
        )


def may_use(found: os.stat_result, uid: int, groups: frozenset[int]) -> bool:
    """Tell whether an account may read and write a file, by the bits that are meant for it."""
    if uid == 0:
        return True
    shift = 6 if found.st_uid == uid else 3 if found.st_gid in groups else 0
    return (found.st_mode >> shift) & 0o6 == 0o6


def _who(scene: Scene) -> tuple[int, frozenset[int], str]:
    """Give the running gateway's account, or the one that asks: it is the one that will start it."""
    pid = gateway_pid(scene)
    rows = dict(
        line.split(":", 1) for line in (read(scene.proc / str(pid) / "status") or "").splitlines() if ":" in line
    )
    if pid is None or "Uid" not in rows:
        return scene.account.uid, scene.account.groups, scene.account.name
    uid = int(rows["Uid"].split()[1])
    groups = frozenset(map(int, [*rows.get("Groups", "").split(), *rows.get("Gid", "").split()[1:2]]))
    return uid, groups, _name(uid)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


CHECK = Check("port-permission", Sentence("Permission on ports", "串口权限"), _run)

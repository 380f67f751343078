"""Commands as pages say them."""

from typing import Any

from central_server.commands import words
from central_server.commands.model import CommandRow, Orderable
from central_server.dashboard.show import Show
from central_server.dashboard.words import point_name, states_of
from central_server.rbac import Actor, Right
from protocols.command import OPEN, WRITE


def may_order(wanted: Orderable, actor: Actor) -> bool:
    """Tell whether somebody may order this of a device."""
    return actor.may(Right.DOORS_OPEN if wanted.action == OPEN else Right.DEVICES_ORDER)


def command_context(show: Show) -> dict[str, Any]:
    """Give what every page of commands prints with."""

    def said(row: CommandRow) -> str:
        """Say what was ordered, in words."""
        if row.action != WRITE:
            return show.language.gettext(words.ACTIONS.get(row.action, row.action))
        value = row.args.get("value", "")
        name = point_name(row.args.get("point", ""), show.language.gettext)
        return f"{name} → {code_word(row.device_kind, row.args.get('point', ''), value, show)}"

    def read_back(row: CommandRow) -> str:
        """Say how the device was found afterwards."""
        back = row.read_back or {}
        if row.action == OPEN:
            found = [words.DOORS[word] for word in (back.get("door"), back.get("lock")) if word in words.DOORS]
            return " · ".join(map(show.language.gettext, found))
        value = f"{back.get('value')}"
        word = code_word(row.device_kind, f"{back.get('point')}", value, show, str(back.get("word") or ""))
        return word or f"{value} {show.unit(str(back.get('unit') or ''))}".strip()

    return {
        "command_words": words,
        "said": said,
        "read_back": read_back,
        "point_name": lambda point: point_name(point, show.language.gettext),
    }


def code_word(kind: str, point: str, value: str, show: Show, default: str | None = None) -> str:
    """Name a state's code; as ``default``, or as it stands, where it has no name here."""
    known = states_of(kind, point)
    if value.isascii() and value.isdecimal() and int(value) in known:
        return show.language.gettext(known[int(value)])
    return value if default is None else default

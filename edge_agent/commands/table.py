"""What ``edge`` shows to people: tables that fit the terminal, whatever stands in them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from edge_agent.commands.shell import say

_STYLE = {"offline": "bold red", "degraded": "yellow", "down": "bold red", "refused": "bold red"}
_WIDE = 120  # columns, from which on a device's profile and error have room in its row


def age(seconds: float | None) -> str:
    """Print an age as people say it."""
    if seconds is None:
        return "-"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def state_text(state: str) -> Text:
    """Print a state, in colour where it is not well."""
    return Text(say(state), style=_STYLE.get(state, ""))


def instant(text: str | None) -> str:
    """Print an instant of JSON output to the second."""
    return "-" if text is None else f"{text[:10]} {text[11:19]}Z"


def shown(value: Mapping[str, Any]) -> str:
    """Print a value, and the word for it where it is a state."""
    if value["value"] is None:
        return "-"
    return f"{value['word']} ({value['value']})" if value["word"] else str(value["value"])


def lanes_table(lanes: Mapping[str, Any]) -> Table:
    """Lay the lanes out."""
    table = _table("lane", "accepted", "acknowledged", "waiting", "oldest", right=(1, 2, 3, 4))
    for name, lane in lanes.items():
        counts = (lane["next_seq"] - 1, lane["acked_seq"], lane["pending"])
        table.add_row(name, *map(str, counts), age(lane["oldest_age_s"]))
    return table


def delivery_table(rows: Iterable[tuple[str, int, int]]) -> Table:
    """Lay out what waited in each lane, and what of it still does."""
    table = _table("lane", "waited", "left", right=(1, 2))
    for name, waited, left in rows:
        table.add_row(name, str(waited), str(left))
    return table


def buses_table(buses: Iterable[Mapping[str, Any]]) -> Table:
    """Lay the buses out."""
    table = _table("bus", "kind", "state", "in use", "period", "nominal", right=(3, 4, 5))
    for bus in buses:
        used = "-" if bus["utilisation"] is None else f"{bus['utilisation']:.0%}"
        row = (used, _period(bus["period_ms"]), _period(bus["nominal_ms"]))
        table.add_row(bus["id"], bus.get("kind", ""), state_text(bus["state"]), *row)
    return table


def devices_table(rows: Sequence[Mapping[str, Any]], width: int, now: float) -> Table:
    """Lay the devices out, with the profile where it has room."""
    is_wide = width >= _WIDE
    extra = ("profile",) if is_wide else ()
    table = _table("device", "name", "bus", *extra, "address", "state", "answered")
    table.columns[1].no_wrap = False  # the one column that gives way
    table.columns[-1].justify = "right"
    for row in rows:
        cells = (row["bus"], *([row["profile"]] if is_wide else []), str(row.get("address", "")))
        answered = age(None if row["last_ok_at"] is None else max(0.0, now - _seconds(row["last_ok_at"])))
        table.add_row(Text(row["id"]), _cut(row.get("name", "")), *cells, state_text(row["state"]), answered)
    return table


def complaints(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Give a line for each bus or device with an error; one reason is told once for all that share it."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row["error"]:
            found.setdefault(row["error"], []).append(row["id"] + _next_try(row))
    return [f"{', '.join(names)}: {say(reason)}" for reason, names in found.items()]


def values_table(values: Iterable[Mapping[str, Any]]) -> Table:
    """Lay the values of one device out."""
    table = _table("point", "value", "unit", "quality", "taken at", right=(1,))
    for value in values:
        table.add_row(value["point"], shown(value), value["unit"], value["quality"], value["taken_at"])
    return table


def records_table(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Lay out records that wait."""
    table = _table("seq", "at", "what", "value", "unit", "quality", right=(0, 3))
    table.columns[2].no_wrap = False
    for row in rows:
        head = (str(row["seq"]), instant(row["at"]))
        if row["type"] == "reading":
            cells = (f"{row['device']} {row['point']}", row["value"] or "-", row["unit"], row["quality"])
        else:
            cells = (f"{row['kind']} {row['subject']}", str(row["body"].get("state", "")), "", "")
        table.add_row(*head, _cut(cells[0]), *cells[1:])
    return table


def revisions_table(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Lay out revisions of the settings."""
    table = _table("revision", "at", "state", "from", "reason", right=(0,))
    for column in (3, 4):
        table.columns[column].no_wrap = False
    for row in rows:
        mark = "* " if row["is_current"] else ""
        number = f"{mark}{row['number']}"
        table.add_row(
            number, instant(row["at"]), state_text(row["state"]), Text(say(row["origin"])), Text(say(row["reason"]))
        )
    return table


def quarantine_table(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Lay out records that were set aside, each with its reason."""
    table = _table("lane", "seq", "at", "what", "value", "reason", right=(1, 4))
    for column in (3, 5):
        table.columns[column].no_wrap = False
    for row in rows:
        record = row["record"]
        is_reading = record["type"] == "reading"
        what = f"{record['device']} {record['point']}" if is_reading else f"{record['kind']} {record['subject']}"
        value = record["value"] or "-" if is_reading else ""
        table.add_row(row["lane"], str(row["seq"]), instant(row["at"]), _cut(what), value, Text(row["reason"]))
    return table


def doors_table(rows: Sequence[Mapping[str, Any]], width: int, now: float) -> Table:
    """Lay the doors out, with the name where it has room."""
    is_wide = width >= _WIDE
    table = _table("door", *(("name",) if is_wide else ()), "state", "leaf", "lock", "last decision", "ago")
    table.columns[-1].justify = "right"
    for row in rows:
        last = row["last_decision"]
        told = "-" if last is None else last["reason"]
        ago = "-" if last is None else age(max(0.0, now - _seconds(last["at"])))
        name = [_cut(row["name"])] if is_wide else []
        states = (state_text(row["state"]), row["door"] or "-", row["lock"] or "-")
        table.add_row(Text(row["id"]), *name, *states, told, ago)
    return table


def watch_table(rows: Sequence[Mapping[str, Any]], now: float, most_rows: int | None = None) -> Table:
    """Lay out the live values of some devices, at most so many rows of them."""
    table = _table("device", "state", "point", "value", "unit", "age", right=(3, 5))
    table.columns[2].no_wrap = False
    cells = [row for device in rows for row in _watch_rows(device, now)]
    for row in cells[:most_rows]:
        table.add_row(*row)
    if most_rows is not None and len(cells) > most_rows:
        more = len(cells) - most_rows
        table.caption = say(f"{more} more: enlarge the window, or name devices: edge watch {rows[-1]['id']}")
        table.caption_justify = "left"
    return table


def _watch_rows(device: Mapping[str, Any], now: float) -> Iterable[tuple[str | Text, ...]]:
    head: tuple[str | Text, ...] = (Text(device["id"]), state_text(device["state"]))
    if device["error"]:
        yield (*head, _cut(say(device["error"]), "yellow"), "", "", "")
        head = ("", "")
    elif not device["values"]:
        yield (*head, "", "", "", "")
    for value in device["values"]:
        yield (*head, value["point"], shown(value), value["unit"], age(max(0.0, now - _seconds(value["taken_at"]))))
        head = ("", "")


def _table(*names: str, right: Sequence[int] = ()) -> Table:
    table = Table(*map(say, names), box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in table.columns:
        column.no_wrap = True
    for position in right:
        table.columns[position].justify = "right"
    return table


def _cut(text: str, style: str = "") -> Text:
    """Give a text that is cut where it does not fit, and in which brackets mean nothing."""
    return Text(text, style=style, overflow="ellipsis", no_wrap=True)


def _next_try(row: Mapping[str, Any]) -> str:
    retry = row.get("retry_in_s")
    return "" if retry is None else say(f" (asked again in {age(retry)})")


def _period(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds / 1000:.1f} s"


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()

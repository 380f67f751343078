"""The commissioning sheet as PDF."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from edge_agent.sheet.font import find_faces
from edge_agent.sheet.label import draw_labels
from edge_agent.sheet.model import FAILED, BusBlock, DeviceBlock, Sheet
from edge_agent.sheet.paper import ROW, Paper, check_letters
from edge_agent.sheet.word import sentence, word

_WIDTHS = (46.0, 34.0, 14.0, 24.0, 18.0, 36.0, 14.0)
_HEADS = ("point", "value", "unit", "quality", "time", "display reads", "sign")
_RED, _GREEN, _GREY = (176, 32, 32), (22, 110, 60), (110, 118, 130)
_COLOURS = {"ok": _GREEN, "failed": _RED, "not read": _GREY}
_LEAST_ROWS = 2
# How a bus's facts share the width: a port is a path.
_SHARES = {"port": 2.2, "nominal period": 1.6, "utilisation": 1.3}


def draw_sheet(sheet: Sheet, lang: str, grid: tuple[int, int] | None, font: Path | None = None) -> tuple[bytes, int]:
    """Draw a sheet and its labels; give the file and the number of its pages.

    Shape: ``grid`` is the labels' columns and rows on a page, None for none.

    Raises: FontMissing where this machine has no typeface for its texts.
    """
    faces = find_faces(font)
    check_letters(list(_texts(sheet, lang)), faces)
    foot = f"{word('Commissioning sheet', lang)}  {sheet.edge_id}  {sheet.made_at:%Y-%m-%d %H:%M}"
    paper = Paper(faces, lambda _: foot)
    paper.set_title(f"{word('Commissioning sheet', lang)} {sheet.edge_id}")
    paper.set_creation_date(sheet.made_at)
    paper.add_page()
    _head(paper, sheet, lang)
    for bus in sheet.buses:
        _bus(paper, bus, lang)
    if grid is not None and sheet.devices:
        draw_labels(paper, sheet.devices, *grid)
    return bytes(paper.output()), paper.pages_count


def _texts(sheet: Sheet, lang: str) -> Iterator[str]:
    """Give everything that will be printed and is not ours."""
    yield word("Commissioning sheet", lang)
    yield sheet.site
    for bus in sheet.buses:
        yield from (text for _, text in bus.facts)
        for device in bus.devices:
            yield from (device.name, device.source, sentence(device.error or "", lang))
            yield from (point.value for point in device.points)


def _head(paper: Paper, sheet: Sheet, lang: str) -> None:
    paper.words(word("Commissioning sheet", lang), 18, is_bold=True)
    paper.ln(2)
    zone = sheet.made_at.tzinfo
    rows = (
        ("gateway", sheet.edge_id),
        ("site", sheet.site),
        ("date", f"{sheet.made_at:%Y-%m-%d %H:%M} {zone} (UTC{sheet.made_at:%z})"),
        ("software", f"Gatehouse {sheet.version}"),
        ("settings SHA-256", sheet.fingerprint),
    )
    wide = 50.0
    for name, text in rows:
        paper.line_of((word(name, lang), text), (wide, paper.epw - wide))
    counts = sheet.counts
    said = "   ".join(f"{word(name, lang)}: {count}" for name, count in counts.items())
    paper.line_of((word("devices", lang), said), (wide, paper.epw - wide))
    for name in ("engineer", "signature"):
        paper.ink(8.5)
        paper.cell(wide, 9, word(name, lang), border=1)
        paper.cell(paper.epw - wide, 9, "", border=1)
        paper.ln(9)
    failed = [device for device in sheet.devices if device.result == FAILED]
    if failed:
        paper.ln(3)
        paper.words(word("failures", lang), 10, is_bold=True, colour=_RED)
        for device in failed:
            text = f"{device.id}: {sentence(device.error or '', lang)}"
            _room(paper, paper.height_of(text))
            paper.words(text, colour=_RED)
    paper.ln(4)


def _bus(paper: Paper, bus: BusBlock, lang: str) -> None:
    _room(paper, 40)
    paper.words(f"{word('bus', lang)} {bus.id}", 12, is_bold=True)
    paper.ln(1)
    shares = [_SHARES.get(name, 1.0) for name, _ in bus.facts]
    widths = [paper.epw * share / sum(shares) for share in shares]
    paper.line_of([word(name, lang) for name, _ in bus.facts], widths, is_head=True)
    paper.line_of([text for _, text in bus.facts], widths)
    if bus.error:
        paper.words(sentence(bus.error, lang), colour=_RED)
    if not bus.devices:
        paper.words(word("no device on this bus", lang), colour=_GREY)
    paper.ln(3)
    for device in bus.devices:
        _device(paper, device, lang)
    paper.ln(2)


def _device(paper: Paper, device: DeviceBlock, lang: str) -> None:
    error = sentence(device.error, lang) if device.error else ""
    source = f"{word('profile', lang)} {device.profile}    {word('source', lang)} {device.source}"
    height = 6 + paper.height_of(source, 7.5) + (paper.height_of(error) if error else 0)
    _room(paper, height + (1 + min(_LEAST_ROWS, len(device.points))) * ROW)
    _title(paper, device, lang)
    paper.words(source, 7.5, colour=_GREY)
    if error:
        paper.words(error, colour=_RED)
    paper.line_of([word(name, lang) for name in _HEADS], _WIDTHS, is_head=True)
    for point in device.points:
        if not paper.has_room(ROW):
            paper.add_page()
            _title(paper, device, lang)
            paper.line_of([word(name, lang) for name in _HEADS], _WIDTHS, is_head=True)
        quality = word(point.quality, lang if lang != "both" else "zh")
        paper.line_of((point.name, point.value, point.unit, quality, point.taken_at, "", ""), _WIDTHS, right=1)
    paper.ln(3.5)


def _title(paper: Paper, device: DeviceBlock, lang: str) -> None:
    """Write who it is at the left and what came of it at the right."""
    took = "" if device.took_ms is None else f"   {word('read in', lang)} {device.took_ms:.0f} ms"
    result = f"{word(device.result, lang)}{took}"
    paper.ink(9, is_bold=True, colour=_COLOURS[device.result])
    wide = paper.get_string_width(result) + 4
    name = "" if device.name == device.id else f"   {device.name}"
    paper.ink(9.5, is_bold=True)
    text = f"{device.id}{name}   {word('address', lang)} {device.address}"
    paper.cell(paper.epw - wide, 6, paper.cut(text, paper.epw - wide))
    paper.ink(9, is_bold=True, colour=_COLOURS[device.result])
    paper.cell(wide, 6, result, align="R")
    paper.ln(6)


def _room(paper: Paper, height: float) -> None:
    if not paper.has_room(height):
        paper.add_page()


def grid_of(text: str) -> tuple[int, int] | None:
    """Read the labels' grid, as 3x8. Raises: ValueError."""
    if text == "none":
        return None
    columns, _, rows = text.partition("x")
    if columns.isdecimal() and rows.isdecimal() and 1 <= int(columns) <= 6 and 1 <= int(rows) <= 16:
        return int(columns), int(rows)
    raise ValueError(f"'{text}' is not a sheet of labels. Say columns and rows, as 3x8, or none.")


__all__: Sequence[str] = ("draw_sheet", "grid_of")

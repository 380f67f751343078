"""Sticky labels with a code for each device, on A4 sheets of equal labels."""

from collections.abc import Sequence

import segno

from edge_agent.sheet.model import DeviceBlock
from edge_agent.sheet.paper import Paper

A4 = (210.0, 297.0)
_INSET, _MARK = 4.0, 2.0


def draw_labels(paper: Paper, devices: Sequence[DeviceBlock], columns: int, rows: int) -> None:
    """Draw a label for each device, row by row, without a foot and with marks where to cut."""
    width, height = A4[0] / columns, A4[1] / rows
    for number, device in enumerate(devices):
        place = number % (columns * rows)
        if place == 0:
            paper.add_page()
            paper.has_foot = False  # a page's foot is drawn when the next begins
            _marks(paper, columns, rows)
        _label(paper, device, (place % columns) * width, (place // columns) * height, width, height)


def _marks(paper: Paper, columns: int, rows: int) -> None:
    """Draw crosses at the labels' corners."""
    paper.set_draw_color(150, 150, 150)
    paper.set_line_width(0.1)
    for column in range(columns + 1):
        for row in range(rows + 1):
            x, y = A4[0] * column / columns, A4[1] * row / rows
            paper.line(max(x - _MARK, 0), y, min(x + _MARK, A4[0]), y)
            paper.line(x, max(y - _MARK, 0), x, min(y + _MARK, A4[1]))


def _label(paper: Paper, device: DeviceBlock, x: float, y: float, width: float, height: float) -> None:
    side = min(height - 2 * _INSET, width * 0.42)
    _code(paper, device.code, x + _INSET, y + (height - side) / 2, side)
    left, room = x + _INSET + side + 1.5, width - side - 2 * _INSET
    name = "" if device.name == device.id else device.name
    edge = device.code.removeprefix("gatehouse:device:").partition("/")[0]
    rows = ((device.id, 11.0, True), (name, 8.0, False), (device.address, 8.0, False), (edge, 6.5, False))
    shown = [row for row in rows if row[0]]
    top = y + height / 2 - 2.5 * len(shown)
    for text, size, is_bold in shown:
        paper.ink(size, is_bold=is_bold)
        paper.set_xy(left, top)
        paper.cell(room, 5, paper.cut(text, room))
        top += 5


def _code(paper: Paper, text: str, x: float, y: float, side: float) -> None:
    """Draw a QR code; its dark modules run by run, so that no printer leaves seams between them."""
    matrix = [list(row) for row in segno.make(text, error="m", micro=False).matrix]
    # Four light modules around it are the code's own.
    unit = side / (len(matrix) + 8)
    paper.set_fill_color(0, 0, 0)
    for line, row in enumerate(matrix):
        start = 0
        while start < len(row):
            end = start
            while end < len(row) and row[end]:
                end += 1
            if end > start:
                paper.rect(x + (start + 4) * unit, y + (line + 4) * unit, (end - start) * unit, unit, style="F")
            start = end + 1

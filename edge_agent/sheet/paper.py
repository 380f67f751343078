"""A4 paper with a typeface: rows of a table that go on over pages, and the page numbers."""

from collections.abc import Callable, Sequence

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from edge_agent.sheet.font import REMEDY, Faces, FontMissing

MARGIN, BOTTOM = 12.0, 15.0
ROW, SMALL = 5.2, 7.5
_INK, _PALE, _GREY = (25, 32, 44), (236, 240, 245), (110, 118, 130)
_ELLIPSIS = "..."


class Paper(FPDF):
    """The pages of one sheet; millimetres throughout."""

    def __init__(self, faces: Faces | None, foot: Callable[[int], str]) -> None:
        super().__init__(orientation="portrait", unit="mm", format="A4")
        self._foot = foot
        self.has_foot = True
        self.family = "helvetica"
        if faces is not None:
            self.family = "sheet"
            for style, face in (("", faces.regular), ("B", faces.bold)):
                self.add_font(self.family, style, face.file, collection_font_number=face.number)
        self.set_margins(MARGIN, MARGIN, MARGIN)
        self.set_auto_page_break(auto=False)

    def footer(self) -> None:
        """Number the page."""
        if not self.has_foot:
            return
        self.set_y(-BOTTOM + 4)
        self.ink(SMALL, colour=_GREY)
        self.cell(self.epw / 2, 5, self._foot(self.page_no()))
        self.cell(self.epw / 2, 5, f"{self.page_no()} / {{nb}}", align="R")

    def ink(self, size: float, *, is_bold: bool = False, colour: tuple[int, int, int] = _INK) -> None:
        """Choose how the next text looks."""
        self.set_font(self.family, "B" if is_bold else "", size)
        self.set_text_color(*colour)

    def has_room(self, height: float) -> bool:
        return bool(self.get_y() + height <= self.h - BOTTOM)

    def cut(self, text: str, width: float) -> str:
        """Give as much of a text as fits."""
        room = width - 2 * self.c_margin
        if self.get_string_width(text) <= room:
            return text
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (
                (middle, high) if self.get_string_width(text[:middle] + _ELLIPSIS) <= room else (low, middle - 1)
            )
        return text[:low] + _ELLIPSIS

    def line_of(self, cells: Sequence[str], widths: Sequence[float], *, is_head: bool = False, right: int = -1) -> None:
        """Draw one row of a table; its text is cut where it does not fit."""
        self.ink(SMALL if is_head else 8.5, is_bold=is_head)
        self.set_fill_color(*_PALE)
        self.set_draw_color(190, 197, 206)
        self.set_line_width(0.15)
        for position, (text, width) in enumerate(zip(cells, widths, strict=True)):
            align = "R" if position == right else "L"
            self.cell(width, ROW, self.cut(text, width), border=1, fill=is_head, align=align)
        self.ln(ROW)

    def words(
        self, text: str, size: float = 8.5, *, is_bold: bool = False, colour: tuple[int, int, int] = _INK
    ) -> None:
        """Write a text over the whole width, on as many lines as it needs."""
        self.ink(size, is_bold=is_bold, colour=colour)
        self.multi_cell(self.epw, size * 0.52, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L")

    def height_of(self, text: str, size: float = 8.5) -> float:
        """Say how much room ``words`` would take."""
        self.ink(size)
        height = self.multi_cell(self.epw, size * 0.52, text, dry_run=True, output="HEIGHT")
        assert isinstance(height, float)
        return height


def check_letters(texts: Sequence[str], faces: Faces | None) -> None:
    """Make sure that every letter can be printed. Raises: FontMissing."""
    if faces is not None:
        return
    for text in texts:
        try:
            text.encode("latin-1")
        except UnicodeEncodeError:
            raise FontMissing(f"this machine has no typeface for '{text}'. {REMEDY}") from None

"""The drawn sheet: its labels' codes are read back, its texts are cut and never lost beyond the page."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import segno

from edge_agent.sheet.font import find_faces
from edge_agent.sheet.label import draw_labels
from edge_agent.sheet.model import NOT_READ, BusBlock, DeviceBlock, PointRow, Sheet, label_code
from edge_agent.sheet.paper import Paper
from edge_agent.sheet.pdf import draw_sheet, grid_of
from edge_agent.sheet.word import sentence, word


def device(number: int, name: str = "电表", error: str | None = None, points: int = 3) -> DeviceBlock:
    rows = tuple(PointRow(f"point{at}", "123456789.123", "kWh", "good", "12:00:00") for at in range(points))
    result = NOT_READ if error is None else "failed"
    code = label_code("gw-1", f"em-{number}")
    place = (f"em-{number}", name, str(number), "electricity/x", "A manual, page 3")
    return DeviceBlock(*place, result, error, None, rows, code)


def sheet(*devices: DeviceBlock) -> Sheet:
    bus = BusBlock("line-1", (("kind", "serial"), ("port", "/dev/serial/by-id/" + "x" * 90)), "it is down", devices)
    return Sheet("gw-1", "", datetime(2026, 11, 23, tzinfo=UTC), "0.1.0", "0" * 64, (bus,))


@pytest.mark.parametrize("lang", ["en", "both"])
def test_long_texts_and_long_tables_stay_on_the_paper(lang: str) -> None:
    named = device(1, "一" * 200, "no answer. " * 60, points=150)
    data, pages = draw_sheet(sheet(named, *(device(number) for number in range(2, 30))), lang, (3, 8))
    assert data.startswith(b"%PDF")
    assert pages > 5
    assert len(data) < 300_000, "only the letters in use are in the file"


def test_an_empty_site_makes_a_sheet_too() -> None:
    data, pages = draw_sheet(sheet(), "zh", (3, 8))
    assert (pages, data.startswith(b"%PDF")) == (1, True)


def test_a_label_carries_exactly_the_modules_of_its_code() -> None:
    """Rebuild the code from the rectangles that were drawn."""
    drawn: list[tuple[float, float, float, float]] = []

    class Watched(Paper):
        def rect(self, x: float, y: float, w: float, h: float, *args: object, **kwargs: object) -> None:
            drawn.append((x, y, w, h))

    paper = Watched(None, lambda _: "")
    draw_labels(paper, [device(1, "em-1")], 3, 8)
    wanted = [list(row) for row in segno.make("gatehouse:device:gw-1/em-1", error="m", micro=False).matrix]
    unit = min(height for *_, height in drawn)
    left, top = min(x for x, *_ in drawn), min(y for _, y, *_ in drawn)
    found = [[0] * len(wanted) for _ in wanted]
    for x, y, width, _ in drawn:
        row, column = round((y - top) / unit), round((x - left) / unit)
        for step in range(round(width / unit)):
            found[row][column + step] = 1
    assert found == [[int(bool(module)) for module in row] for row in wanted]


def test_the_chinese_face_is_the_simplified_one() -> None:
    faces = find_faces()
    assert faces is not None, "apt-get install fonts-noto-cjk"
    paper = Paper(faces, lambda _: "")
    assert "SC" in paper.fonts["sheet"].ttfont["name"].getDebugName(1)


def test_a_damaged_font_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "wqy-zenhei.ttc").write_bytes(b"ttcf" + b"\0" * 40)
    assert find_faces(folders=(tmp_path,)) is None


def test_words_are_in_the_language_asked_for() -> None:
    assert [word("address", lang) for lang in ("en", "zh", "both")] == ["address", "地址", "地址 address"]
    assert sentence("no answer within 0.2 s", "both") == "0.2 秒内没有应答 / no answer within 0.2 s"


@pytest.mark.parametrize("text", ["0x3", "3x", "x", "99x1", "3x8x2", ""])
def test_a_grid_that_no_sheet_has_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="3x8"):
        grid_of(text)

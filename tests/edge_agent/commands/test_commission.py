"""``edge commission`` on a simulated site: the sheet says what the devices say, and one that is dead stops nobody."""

import json
import re
from pathlib import Path

import pytest
from pypdf import PdfReader
from typer.testing import CliRunner

from edge_agent.cli import app
from edge_agent.sheet import font
from tests.edge_agent.site import open_site


def pages(file: Path) -> list[str]:
    # This reader gives a letter of two bytes as two.
    return [page.extract_text().replace("\0", "") for page in PdfReader(file).pages]


async def test_a_site_is_read_and_printed_with_its_dead_device_named(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        code, stdout, _ = await site.edge("commission", "--lang", "zh", "-o", "alone.pdf", "--json")
        await site.start("run")
        await site.ask()
        again = await site.edge("commission", "--lang", "en", "--site", "Harbour", "-o", "running.pdf")
    told = json.loads(stdout)
    assert (code, told["summary"]) == (1, {"ok": 3, "failed": 1, "not_read": 0})
    values = {value["point"]: value["value"] for value in told["devices"][0]["values"]}
    sheet = "\n".join(pages(tmp_path / "alone.pdf"))
    assert len(values) > 10
    assert all(value in sheet for value in values.values())
    assert "失败" in sheet
    assert "202611000105" in sheet
    assert again[0] == 1
    assert "Harbour" in pages(tmp_path / "running.pdf")[0]


SETTINGS = """
[edge]
id = "gw-9"
zone = "Europe/Berlin"
[[bus]]
id = "tcp-1"
kind = "modbus-tcp"
host = "127.0.0.1"
port = 9
timeout_ms = 50
"""


def settings(folder: Path, devices: int, name: str = "") -> str:
    device = '[[device]]\nid = "em-{0}"\nname = "{1}"\nbus = "tcp-1"\naddress = "{0}"\nprofile = "electricity/eastron-sdm630"\n'
    text = SETTINGS + "".join(device.format(number + 1, name) for number in range(devices))
    (folder / "edge.toml").write_text(text)
    return str(folder / "edge.toml")


def commission(config: str, *args: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["--lang", "en", "-c", config, "commission", *args])
    return done.exit_code, done.stdout, done.stderr


def test_without_reading_there_is_room_for_a_pen_and_every_page_has_its_number(tmp_path: Path) -> None:
    file = tmp_path / "sheet.pdf"
    code, stdout, _ = commission(settings(tmp_path, 30), "--no-read", "-o", str(file), "--json")
    assert (code, json.loads(stdout)["summary"]) == (0, {"ok": 0, "failed": 0, "not_read": 30})
    found = pages(file)
    sheets = [text for text in found if f"/ {len(found)}" in text]
    assert len(found) - len(sheets) == 2, "30 labels stand on two sheets of 24, without a foot"
    assert all(f"{number + 1} / {len(found)}" in text for number, text in enumerate(sheets))
    # The heads of a table stand on every page that it goes on over.
    assert all("display reads" in text for text in sheets)


def test_the_fingerprint_is_that_of_the_file(tmp_path: Path) -> None:
    config = settings(tmp_path, 1)
    commission(config, "--no-read", "-o", str(tmp_path / "a.pdf"))
    first = pages(tmp_path / "a.pdf")[0]
    with Path(config).open("a") as file:
        file.write("# changed\n")
    commission(config, "--no-read", "-o", str(tmp_path / "b.pdf"))
    second = pages(tmp_path / "b.pdf")[0]

    def mark(text: str) -> str:
        return re.findall("[0-9a-f]{64}", text)[0]

    assert mark(first) != mark(second)
    assert "Europe/Berlin" in first


def test_a_machine_without_chinese_letters_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(font, "FOLDERS", (tmp_path,))
    monkeypatch.setattr(font.find_faces, "__defaults__", (None, (tmp_path,)))
    config = settings(tmp_path, 1, "1-101 电表")
    for lang in ("zh", "en"):
        code, _, said = commission(config, "--no-read", "--lang", lang, "-o", str(tmp_path / "sheet.pdf"))
        assert code == 2
        assert "apt-get install fonts-noto-cjk" in said
    assert not (tmp_path / "sheet.pdf").exists()
    # A plain English sheet needs no such letters.
    code, _, _ = commission(settings(tmp_path, 1), "--no-read", "-o", str(tmp_path / "sheet.pdf"))
    assert code == 0


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--labels", "3 by 8"), "3x8"),
        (("--lang", "fr"), "zh"),
        (("--font", "edge.toml"), "not a font"),
    ],
)
def test_a_wrong_wish_is_answered_with_the_right_ones(args: tuple[str, ...], said: str, tmp_path: Path) -> None:
    config = settings(tmp_path, 1)
    code, _, told = commission(config, "--no-read", "-o", str(tmp_path / "x.pdf"), *args)
    assert (code, said in told) == (2, True)
    assert not (tmp_path / "x.pdf").exists()


def test_a_sheet_that_is_there_is_not_overwritten_unasked(tmp_path: Path) -> None:
    file = tmp_path / "sheet.pdf"
    file.write_text("signed")
    code, _, _ = commission(settings(tmp_path, 1), "--no-read", "-o", str(file))
    assert (code, file.read_text()) == (2, "signed")

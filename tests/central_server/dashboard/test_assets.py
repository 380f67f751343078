"""Static files."""

import re

import pytest

from central_server.dashboard.assets import STATIC, asset_url, assets


async def test_a_file_asked_for_by_its_version_may_be_kept_for_ever(stranger) -> None:  # type: ignore[no-untyped-def]
    answer = await stranger.client.get(asset_url("app.css"))
    assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
    assert "immutable" in answer.headers["Cache-Control"]
    assert (await stranger.client.get("/static/app.css?v=old")).headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd", "/static/app.css%00"],
)
async def test_nothing_but_the_files_found_at_start_is_served(stranger, path: str) -> None:  # type: ignore[no-untyped-def]
    answer = await stranger.client.get(path, allow_redirects=False)
    assert answer.status == 404


def test_pages_without_charts_load_little_script() -> None:
    everyday = [name for name in assets() if name.endswith(".js") and "echarts" not in name]
    assert sum(assets()[name].path.stat().st_size for name in everyday) < 150_000


def test_the_style_sheet_stays_small_and_old_browsers_understand_it() -> None:
    css = (STATIC / "app.css").read_text()
    assert len(css.splitlines()) < 600
    assert not re.search(r"oklch|color-mix|light-dark\(|@container|@layer|&:", css)


def test_dark_by_choice_and_dark_by_the_system_are_the_same_dark() -> None:
    css = (STATIC / "app.css").read_text()
    by_system = css.split(':root:not([data-theme="light"]) {')[1].split("}")[0]
    by_choice = css.split(':root[data-theme="dark"] {')[1].split("}")[0]
    assert by_system.split() == by_choice.split()


def test_every_icon_that_a_template_names_is_drawn() -> None:
    drawn = set(re.findall(r'<symbol id="([\w-]+)"', (STATIC / "icons.svg").read_text()))
    templates = STATIC.parent / "templates"
    named = {
        name
        for path in templates.glob("*.html")
        for name in re.findall(r'm\.(?:icon|mark)\("([\w]+)"\)', path.read_text())
    }
    assert named
    assert named <= drawn

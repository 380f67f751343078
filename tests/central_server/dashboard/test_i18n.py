"""Choosing a language."""

import pytest

from central_server.dashboard.i18n import languages, preferred


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,en;q=0.9", "en"),
        ("fr;q=1, en;q=0.3, zh;q=0.5", "zh"),
        ("fr", "zh"),
        ("", "zh"),
        ("en;q=broken", "en"),
    ],
)
def test_the_browsers_wish_decides_else_the_sites_language(header: str, code: str) -> None:
    assert preferred(header, "zh") == code


def test_english_knows_one_from_many_and_chinese_needs_not() -> None:
    english, chinese = languages()["en"], languages()["zh"]
    text = ("%(n)s unit", "%(n)s units")
    assert [english.ngettext(*text, n) for n in (1, 2)] == ["%(n)s unit", "%(n)s units"]
    assert {chinese.ngettext(*text, n) for n in (1, 2)} == {"%(n)s 户"}

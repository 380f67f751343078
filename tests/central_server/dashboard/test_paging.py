"""Pages of a list."""

import pytest

from central_server.dashboard.paging import cut, fit, page_number
from central_server.errors import BadRequest


def test_a_page_says_where_it_stands() -> None:
    paged = cut(list(range(120)), 3, 50)
    assert (list(paged.items), paged.first, paged.last, paged.pages) == (list(range(100, 120)), 101, 120, 3)


def test_a_page_beyond_the_end_is_the_last_one() -> None:
    assert cut([1, 2], 9, 50).page == 1
    assert cut([], 1, 50).last == 0


def test_what_the_database_cut_is_described_alike() -> None:
    assert fit(["a"], 51, 2, 50).first == 51


@pytest.mark.parametrize("text", ["0", "-1", "x", "", "9" * 20, "²"])
def test_only_whole_numbers_from_one_name_a_page(text: str) -> None:
    with pytest.raises(BadRequest):
        page_number(text)

"""Names and numbers are shown as little as the reader needs."""

import pytest

from central_server.mask import mask_name, mask_phone, name_mask
from central_server.rbac import Role
from tests.central_server.neighbours import staff


@pytest.mark.parametrize(
    ("name", "shown"), [("王芳", "王*"), ("欧阳娜娜", "欧**"), ("Anna Smith", "A. S."), ("李", "李*"), ("", "")]
)
def test_a_name_keeps_its_first_letter(name: str, shown: str) -> None:
    assert mask_name(name) == shown


def test_a_phone_keeps_its_ends_and_a_short_one_even_less() -> None:
    assert [mask_phone(each) for each in ("138 0013-8000", "12345")] == ["138****8000", "****45"]


def test_only_who_may_see_the_records_sees_whole_names() -> None:
    assert [name_mask(staff(role))("王芳") for role in (Role.CLERK, Role.GUARD)] == ["王芳", "王*"]

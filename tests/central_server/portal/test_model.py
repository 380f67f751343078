"""A bill is seen by those who were there to pay, and not by who came before or after."""

import pytest

from central_server.portal.model import Stay, may_see


@pytest.mark.parametrize(
    ("stay", "sees"),
    [
        (Stay("owner", "2026-10-31", None), True),
        (Stay("owner", "2026-11-01", None), False),
        (Stay("tenant", "2020-01-01", "2026-10-02"), True),
        (Stay("tenant", "2020-01-01", "2026-10-01"), False),
        (Stay("occupant", "2020-01-01", None), False),
    ],
)
def test_octobers_bill_is_for_who_stayed_in_october(stay: Stay, sees: bool) -> None:
    assert may_see([stay], "2026-10-01", "2026-10-31") is sees

"""Passwords: what is refused before anybody guesses it."""

import pytest

from central_server import password
from central_server.rbac import Role


@pytest.mark.parametrize(
    "weak",
    [
        "seven77",
        "12345678",
        "87654321",
        "aaaaaaaaaa",
        "abcdefghij",
        "Password123!",
        "woaini1314",
        "5201314520",
        "QWERTYUIOP",
        "woaizhongguo",
        "1qaz2wsx",
        "lakeside2026",
        "ann.wang888",
        "１２３４５６７８",
    ],
)
def test_what_is_tried_first_is_refused(weak: str) -> None:
    assert password.problem_of(weak, Role.GUARD, ["ann.wang", "Lakeside"]) is not None


@pytest.mark.parametrize(
    "good", ["moss on granite", "correct horse 7", "马灯挂在老槐树上 3", "x7#kQ9!mLw", "lakeside at dusk"]
)
def test_what_nobody_would_try_is_taken(good: str) -> None:
    assert password.problem_of(good, Role.GUARD, ["ann.wang", "Lakeside", "湖"]) is None


def test_an_administrators_password_is_longer() -> None:
    assert password.problem_of("moss on it", Role.GUARD) is None
    problem = password.problem_of("moss on it", Role.ADMINISTRATOR)
    assert problem is not None
    assert problem.fields["least"] == 12


def test_a_password_to_hand_over_is_random_and_taken_for_every_role() -> None:
    made = {password.new_secret() for _ in range(50)}
    assert len(made) == 50
    assert all(password.problem_of(each, role) is None for each in made for role in Role)


async def test_no_password_opens_an_account_that_is_opened_by_codes() -> None:
    hashed = await password.nobodys_hash()
    assert not await password.is_right(hashed, "")
    assert not await password.is_right(None, "")

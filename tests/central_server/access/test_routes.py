"""The doors' pages and job as the server has them."""

from central_server.access.jobs import JOBS
from central_server.access.views import routes
from central_server.rbac import Right

SEEING = (Right.DOORS_SEE, Right.DOORS_EDIT)


def test_every_page_of_doors_asks_for_a_right_to_doors_and_a_change_for_the_right_to_change() -> None:
    table = routes()
    assert {route.policy for route in table} == set(SEEING)
    assert {route.policy for route in table if route.method == "POST"} == {Right.DOORS_EDIT}


def test_a_change_of_the_records_reaches_the_doors_within_seconds() -> None:
    assert [job.every_s <= 10 for job in JOBS] == [True]

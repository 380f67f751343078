"""The pages and the job of work orders as the server has them."""

from central_server.rbac import Right
from central_server.workorders.jobs import JOBS
from central_server.workorders.views import routes


def test_each_place_of_work_orders_asks_for_its_own_right() -> None:
    rights = {route.path.split("/")[1]: set[object]() for route in routes()}
    for route in routes():
        rights[route.path.split("/")[1]].add(route.policy)
    assert rights["my-orders"] == {Right.ORDERS_WORK}
    assert rights["home"] == {Right.HOME}
    assert Right.HOME not in rights["orders"]


def test_what_nobody_confirms_is_closed_by_a_job() -> None:
    assert [job.every_s <= 3600 for job in JOBS] == [True]

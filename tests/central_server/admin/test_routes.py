"""The pages of accounts, codes and the audit as the server has them."""

from central_server.admin.views import routes
from central_server.rbac import Right
from central_server.web import Policy


def test_what_asks_for_no_right_is_signing_in_by_code_and_ones_own_account() -> None:
    without = {route.path.split("/")[1] for route in routes() if isinstance(route.policy, Policy)}
    assert without == {"sign-in", "me"}


def test_nothing_changes_the_audit() -> None:
    audit = [route for route in routes() if route.policy is Right.AUDIT_SEE]
    assert audit
    assert {route.method for route in audit} == {"GET"}

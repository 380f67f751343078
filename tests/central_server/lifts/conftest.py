"""The browser of the other pages' tests."""

from tests.central_server.dashboard.conftest import desk, newcomer, stranger

__all__ = ["desk", "newcomer", "stranger"]

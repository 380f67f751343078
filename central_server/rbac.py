"""Who may do what: one table of rights and the roles that have them. What is not granted here is refused."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, true


class Role(StrEnum):
    """What a person is here for; each account has one."""

    ADMINISTRATOR = "administrator"
    MANAGER = "manager"
    CONTROL_ROOM = "control_room"
    CLERK = "finance_clerk"
    TECHNICIAN = "technician"
    INSPECTOR = "inspector"
    GUARD = "guard"
    ENGINEER = "site_engineer"
    AUDITOR = "auditor"
    RESIDENT = "resident"


class Right(StrEnum):
    """What a route asks for; the first word is the slice."""

    OVERVIEW_SEE = "overview.see"
    ALARMS_SEE = "alarms.see"
    ALARMS_ACKNOWLEDGE = "alarms.acknowledge"
    DEVICES_SEE = "devices.see"
    DEVICES_EDIT = "devices.edit"
    DEVICES_ORDER = "devices.order"
    COMMANDS_SEE = "commands.see"
    DOORS_SEE = "doors.see"
    DOORS_EDIT = "doors.edit"
    DOORS_OPEN = "doors.open"
    LIFTS_SEE = "lifts.see"
    ORDERS_SEE = "orders.see"
    ORDERS_REPORT = "orders.report"
    ORDERS_DISPATCH = "orders.dispatch"
    ORDERS_WORK = "orders.work"
    INSPECTION_SEE = "inspection.see"
    INSPECTION_PLAN = "inspection.plan"
    INSPECTION_WALK = "inspection.walk"
    BILLS_SEE = "bills.see"
    BILLS_ISSUE = "bills.issue"
    PAYMENTS_TAKE = "payments.take"
    PARKING_SEE = "parking.see"
    PARKING_EDIT = "parking.edit"
    NOTICES_WRITE = "notices.write"
    VISITORS_SEE = "visitors.see"
    VISITORS_DECIDE = "visitors.decide"
    RECORDS_SEE = "records.see"
    RECORDS_EDIT = "records.edit"
    RECORDS_REVEAL = "records.reveal"
    REPORTS_SEE = "reports.see"
    ACCOUNTS_SEE = "accounts.see"
    ACCOUNTS_EDIT = "accounts.edit"
    CODES_HAND_OVER = "codes.hand_over"
    QUARANTINE_SEE = "quarantine.see"
    QUARANTINE_SETTLE = "quarantine.settle"
    AUDIT_SEE = "audit.see"
    HOME = "home"  # a resident's own pages


_ADMINISTRATOR, _MANAGER, _CONTROL, _CLERK = Role.ADMINISTRATOR, Role.MANAGER, Role.CONTROL_ROOM, Role.CLERK
_TECHNICIAN, _INSPECTOR, _GUARD, _ENGINEER = Role.TECHNICIAN, Role.INSPECTOR, Role.GUARD, Role.ENGINEER
_AUDITOR = Role.AUDITOR

# An administrator runs the system and its accounts; an auditor reads everything and changes nothing.
GRANTS: dict[Right, frozenset[Role]] = {
    Right.OVERVIEW_SEE: frozenset({_ADMINISTRATOR, _MANAGER, _CONTROL, _CLERK, _GUARD, _ENGINEER, _AUDITOR}),
    Right.ALARMS_SEE: frozenset({_ADMINISTRATOR, _MANAGER, _CONTROL, _GUARD, _ENGINEER, _TECHNICIAN, _AUDITOR}),
    Right.ALARMS_ACKNOWLEDGE: frozenset({_ADMINISTRATOR, _MANAGER, _CONTROL, _GUARD, _ENGINEER}),
    Right.DEVICES_SEE: frozenset({_ADMINISTRATOR, _MANAGER, _CONTROL, _CLERK, _ENGINEER, _TECHNICIAN, _AUDITOR}),
    Right.DEVICES_EDIT: frozenset({_ADMINISTRATOR, _ENGINEER}),
    Right.DEVICES_ORDER: frozenset({_MANAGER, _CONTROL, _ENGINEER}),
    Right.COMMANDS_SEE: frozenset({_ADMINISTRATOR, _MANAGER, _CONTROL, _GUARD, _ENGINEER, _AUDITOR}),
    Right.DOORS_SEE: frozenset({_ADMINISTRATOR, _MANAGER, _CONTROL, _GUARD, _ENGINEER, _AUDITOR}),
    Right.DOORS_EDIT: frozenset({_ADMINISTRATOR, _MANAGER}),
    Right.DOORS_OPEN: frozenset({_MANAGER, _CONTROL, _GUARD}),
    Right.LIFTS_SEE: frozenset({_ADMINISTRATOR, _MANAGER, _CONTROL, _GUARD, _ENGINEER, _TECHNICIAN, _AUDITOR}),
    Right.ORDERS_SEE: frozenset({_ADMINISTRATOR, _MANAGER, _CONTROL, _CLERK, _ENGINEER, _AUDITOR}),
    Right.ORDERS_REPORT: frozenset(
        {_ADMINISTRATOR, _MANAGER, _CONTROL, _CLERK, _GUARD, _ENGINEER, _INSPECTOR, _TECHNICIAN}
    ),
    Right.ORDERS_DISPATCH: frozenset({_ADMINISTRATOR, _MANAGER, _CONTROL}),
    Right.ORDERS_WORK: frozenset({_TECHNICIAN}),
    Right.INSPECTION_SEE: frozenset({_ADMINISTRATOR, _MANAGER, _CONTROL, _ENGINEER, _AUDITOR}),
    Right.INSPECTION_PLAN: frozenset({_ADMINISTRATOR, _MANAGER}),
    Right.INSPECTION_WALK: frozenset({_INSPECTOR}),
    Right.BILLS_SEE: frozenset({_ADMINISTRATOR, _MANAGER, _CLERK, _AUDITOR}),
    Right.BILLS_ISSUE: frozenset({_CLERK}),
    Right.PAYMENTS_TAKE: frozenset({_CLERK}),
    Right.PARKING_SEE: frozenset({_ADMINISTRATOR, _MANAGER, _CLERK, _GUARD, _AUDITOR}),
    Right.PARKING_EDIT: frozenset({_ADMINISTRATOR, _MANAGER, _CLERK}),
    Right.NOTICES_WRITE: frozenset({_ADMINISTRATOR, _MANAGER}),
    Right.VISITORS_SEE: frozenset({_ADMINISTRATOR, _MANAGER, _CONTROL, _GUARD, _AUDITOR}),
    Right.VISITORS_DECIDE: frozenset({_GUARD}),
    Right.RECORDS_SEE: frozenset({_ADMINISTRATOR, _MANAGER, _CONTROL, _CLERK, _AUDITOR}),
    Right.RECORDS_EDIT: frozenset({_ADMINISTRATOR, _MANAGER, _CLERK}),
    Right.RECORDS_REVEAL: frozenset({_ADMINISTRATOR, _MANAGER, _CONTROL, _CLERK}),
    Right.REPORTS_SEE: frozenset({_ADMINISTRATOR, _MANAGER, _CLERK, _AUDITOR}),
    Right.ACCOUNTS_SEE: frozenset({_ADMINISTRATOR, _AUDITOR}),
    Right.ACCOUNTS_EDIT: frozenset({_ADMINISTRATOR}),
    Right.CODES_HAND_OVER: frozenset({_ADMINISTRATOR, _MANAGER, _CLERK}),
    Right.QUARANTINE_SEE: frozenset({_ADMINISTRATOR, _CONTROL, _ENGINEER, _AUDITOR}),
    Right.QUARANTINE_SETTLE: frozenset({_ADMINISTRATOR, _CONTROL}),
    Right.AUDIT_SEE: frozenset({_ADMINISTRATOR, _AUDITOR}),
    Right.HOME: frozenset({Role.RESIDENT}),
}

# Where each role begins its day.
LANDING: dict[Role, str] = {
    Role.TECHNICIAN: "/my-orders",
    Role.INSPECTOR: "/rounds",
    Role.RESIDENT: "/home",
}


def may(role: Role | None, right: Right) -> bool:
    """Tell whether a role has a right; no role has none."""
    return role is not None and role in GRANTS[right]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: a person with a role, or the product itself.

    Shape: ``site_id`` None means every site; ``person_id`` is whom a resident's account belongs to.
    """

    login: str
    name: str
    role: Role | None
    account_id: int | None = None
    site_id: int | None = None
    person_id: int | None = None
    peer: str = ""

    def may(self, right: Right) -> bool:
        return may(self.role, right)

    def sees_site(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Give the condition by which a query keeps to the actor's site."""
        return true() if self.site_id is None else column == self.site_id


def system(name: str) -> Actor:
    """Give the product itself as who does something, such as "scheduler" or "gateway:gw-1"."""
    return Actor(login=name, name=name, role=None)

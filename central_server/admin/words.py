"""Roles, outcomes and what the audit notes, in words for people."""

from collections.abc import Mapping

from central_server.dashboard.i18n import N_
from central_server.rbac import Role

ROLES: Mapping[Role, str] = {
    Role.ADMINISTRATOR: N_("Administrator"),
    Role.MANAGER: N_("Manager"),
    Role.CONTROL_ROOM: N_("Control room"),
    Role.CLERK: N_("Finance clerk"),
    Role.TECHNICIAN: N_("Technician"),
    Role.INSPECTOR: N_("Inspector"),
    Role.GUARD: N_("Guard"),
    Role.ENGINEER: N_("Site engineer"),
    Role.AUDITOR: N_("Auditor"),
    Role.RESIDENT: N_("Resident"),
}

# What a role is for, in a line: who chooses one should not have to guess.
DUTIES: Mapping[Role, str] = {
    Role.ADMINISTRATOR: N_("Accounts and settings; sees everything"),
    Role.MANAGER: N_("Records, plans, notices, reports"),
    Role.CONTROL_ROOM: N_("Alarms, doors, lifts; sends technicians"),
    Role.CLERK: N_("Bills, payments, records of people"),
    Role.TECHNICIAN: N_("Own work orders on the phone"),
    Role.INSPECTOR: N_("Own rounds on the phone"),
    Role.GUARD: N_("Doors, visitors, alarms at the gate"),
    Role.ENGINEER: N_("Gateways, devices, alarms"),
    Role.AUDITOR: N_("Reads everything, changes nothing"),
    Role.RESIDENT: N_("Own bills, faults, notices, visitors"),
}

OUTCOMES: Mapping[str, str] = {"done": N_("Carried out"), "denied": N_("Denied"), "failed": N_("Failed")}

# By slice: what the first word of an action speaks of.
AREAS: Mapping[str, str] = {
    "access": N_("Doors"),
    "accounts": N_("Accounts and sign-in"),
    "alarms": N_("Alarms"),
    "audit": N_("Audit"),
    "billing": N_("Billing"),
    "bills": N_("Bills"),
    "codes": N_("Sign-in codes"),
    "commands": N_("Commands"),
    "devices": N_("Devices"),
    "inspection": N_("Inspection"),
    "notices": N_("Notices"),
    "orders": N_("Work orders"),
    "pages": N_("Refused addresses"),
    "parking": N_("Parking"),
    "payments": N_("Payments"),
    "quarantine": N_("Quarantine"),
    "records": N_("Records"),
    "reports": N_("Reports"),
    "visitors": N_("Visitors"),
}

"""The words people read for what the tables keep."""

from central_server.dashboard.i18n import N_

STATES = {
    "open": N_("To be walked"),
    "done": N_("Done"),
    "late": N_("Done late"),
    "missed": N_("Missed"),
    "excused": N_("Excused"),
}

KINDS = {
    "pass": N_("In order or not"),
    "number": N_("Number"),
    "text": N_("Text"),
    "photo": N_("Photo"),
    "meter": N_("Meter reading"),
}

PASSES = {"ok": N_("In order"), "fail": N_("Not in order")}

"""What commands to devices say to people."""

from central_server.dashboard.i18n import N_

STATES = {
    "queued": N_("waiting for the gateway"),
    "sent": N_("on its way"),
    "done": N_("done"),
    "failed": N_("not done"),
    "expired": N_("too late, not done"),
    "unknown": N_("not known"),
}
HINTS = {
    "queued": N_(
        "The gateway cannot be reached. The command is dropped when its time is over; it is never done later."
    ),
    "sent": N_("The gateway has been told and will answer."),
    "done": N_("The device has carried it out."),
    "failed": N_("Nothing was changed."),
    "expired": N_("Its time was over before the gateway could be reached or could act. Nothing was changed."),
    "unknown": N_("Nobody has said how it ended: look at the device. The command is not repeated by itself."),
}
MARKS = {"queued": "ring", "sent": "ring", "done": "dot", "failed": "p2", "expired": "p3", "unknown": "p2"}
ACTIONS = {"open": N_("Open the door"), "write": N_("Set")}
# A door's own words, as its gateway reads them back.
DOORS = {"closed": N_("shut"), "open": N_("open"), "locked": N_("locked"), "unlocked": N_("unlocked")}
CLASSES = {
    "door": N_("The command holds for 10 seconds."),
    "valve": N_("The command holds for 2 minutes."),
    "relay": N_("The command holds for 2 minutes."),
    "setting": N_("The command holds for 2 minutes."),
}

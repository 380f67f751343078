"""What visits say to people."""

from central_server.dashboard.i18n import N_

STATES = {
    "asked": N_("waits for the guard"),
    "approved": N_("may come"),
    "refused": N_("refused"),
    "cancelled": N_("taken back"),
    "expired": N_("did not come"),
    "arrived": N_("is here"),
    "left": N_("has left"),
}
HOURS = N_("{hours} hours")
STEPS = {
    "approve": N_("Approve"),
    "refuse": N_("Refuse"),
    "arrive": N_("Has arrived"),
    "leave": N_("Has left"),
}

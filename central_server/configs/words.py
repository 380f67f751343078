"""What the states of a gateway's settings are called."""

from central_server.dashboard.i18n import N_

PHASES = {
    "steady": N_("in force"),
    "staged": N_("about to be tried"),
    "trial": N_("on trial"),
    "unknown": N_("not told yet"),
}
ENDS = {
    "confirmed": N_("passed its trial"),
    "reverted": N_("taken back by itself"),
    "replaced": N_("replaced before it ran"),
    "withdrawn": N_("ended by a person"),
    "refused": N_("refused"),
}

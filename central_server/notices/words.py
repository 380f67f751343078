"""What notices say to people."""

from central_server.dashboard.i18n import N_

STATES = {
    "draft": N_("Draft"),
    "published": N_("Published"),
    "expired": N_("Expired"),
    "withdrawn": N_("Withdrawn"),
}

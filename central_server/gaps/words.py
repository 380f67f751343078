"""What the causes of gaps are called."""

from central_server.dashboard.i18n import N_

CAUSES = {
    "device": N_("Meter or its line"),
    "edge": N_("Gateway"),
    "link": N_("Link to the centre"),
}

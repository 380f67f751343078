"""What parking says to people."""

from central_server.dashboard.i18n import N_

KINDS = {"fixed": N_("own place"), "shared": N_("shared lot")}
STATES = {"free": N_("Free"), "let": N_("Let")}

"""What the resident's pages call how somebody belongs to a unit."""

from central_server.dashboard.i18n import N_

STAYS = {"owner": N_("owner"), "tenant": N_("tenant"), "occupant": N_("lives there")}

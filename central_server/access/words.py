"""What doors say to people."""

from central_server.dashboard.i18n import N_

REASONS = {
    "granted": N_("let in"),
    "unknown_card": N_("unknown card"),
    "revoked": N_("card revoked"),
    "not_yet_valid": N_("not valid yet"),
    "expired": N_("no longer valid"),
    "no_right": N_("no right to this door"),
    "outside_hours": N_("outside the hours"),
    "stale_rules": N_("rules too old"),
    "no_rules": N_("no rules yet"),
    "emergency_open": N_("open in an emergency"),
}
BASES = {
    "residency": N_("as long as the person owns or lives here"),
    "dates": N_("by its own dates alone"),
}
HOLDERS = {
    "residency": N_("Cards of those who own or live here"),
    "dates": N_("Cards by their own dates"),
}
DAYS = (N_("Mon"), N_("Tue"), N_("Wed"), N_("Thu"), N_("Fri"), N_("Sat"), N_("Sun"))
RULES = {
    "current": N_("up to date"),
    "behind": N_("on their way"),
    "silent": N_("gateway silent"),
    "none": N_("not fetched yet"),
}
EMERGENCY = "emergency_open"
LOCAL = "local command"
BY = {LOCAL: N_("opened at the gateway by hand")}

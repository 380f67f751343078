"""Why something is set aside, and what a person can do about it, in words."""

from collections.abc import Mapping

from central_server.dashboard.i18n import N_

# The protocol's own words for bytes that are not what they should be.
_UNREADABLE = ("checksum", "length", "truncated", "format", "unsupported", "application", "security", "protocol")

REASONS: Mapping[str, str] = {
    "unreadable": N_("cannot be read"),
    "fault": N_("a fault of this program"),
    "unknown-point": N_("unknown point"),
    "absurd-time": N_("impossible time"),
    "not-a-number": N_("not a number"),
    "name-too-long": N_("name too long"),
    "refused": N_("refused by the database"),
    **dict.fromkeys(_UNREADABLE, N_("cannot be read")),
}

REMEDIES: Mapping[str, str] = {
    "unreadable": N_(
        "The gateway speaks another format, or a fault wrote these bytes. Bring both to one version, then try again."
    ),
    "fault": N_("Bring the centre up to date, then try again. If it stays, report it with the bytes below."),
    "unknown-point": N_("Check the device's profile on the gateway; what it sends has no place here."),
    "absurd-time": N_("The gateway's clock was wrong. Check its time; the reading cannot be dated."),
    "not-a-number": N_("The device sent something that is no number. Check the device and its profile."),
    "name-too-long": N_("Shorten the name in the gateway's settings."),
    "refused": N_("Try again. If it stays, look into the server's log."),
    **dict.fromkeys(
        _UNREADABLE,
        N_(
            "The gateway speaks another format, or a fault wrote these bytes. "
            "Bring both to one version, then try again."
        ),
    ),
}

OUTCOMES: Mapping[str, str] = {"retried": N_("tried again"), "dismissed": N_("dismissed")}

LANES: Mapping[int, str] = {0: N_("safety"), 1: N_("control"), 2: N_("billing"), 3: N_("telemetry")}

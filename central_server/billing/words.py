"""What billing says to people: kinds of charges, ways to pay, and why something could not be billed."""

from collections.abc import Mapping
from typing import Any

from central_server.dashboard.i18n import N_, Language

# What a bill line calls a charge. A caller may also name an N_() text of its own as the key.
CHARGES = {
    "repair": N_("Repair, work order {order}"),
    "parking": N_("Parking place {place}"),
}
# The steps of a charge's trace, each with its own amount.
STEPS = {
    "labour": N_("Labour"),
    "material": N_("Material: {name}"),
    "fee": N_("Fee as agreed"),
    "monthly_price": N_("Price of a month, in force since {since}"),
}

METHODS = {
    "cash": N_("Cash"),
    "card": N_("Bank card"),
    "transfer": N_("Bank transfer"),
    "wechat": N_("WeChat Pay"),
    "alipay": N_("Alipay"),
}

BILL_STATES = {
    "paid": N_("paid"),
    "open": N_("to pay"),
    "part": N_("partly paid"),
    "overdue": N_("overdue"),
}

# Why a metering point stays out of a run.
NO_METER = N_("no meter is installed; add an installation to the records")
STILL_SERVES = N_("{before} still serves when {after} begins ({begins}); end the first installation")
NEVER_HEARD = N_("{meter} has never been received; check the gateway and the device's name")
WRONG_UNIT = N_("tariff '{tariff}' prices {wanted}, but {meter} counts {counted}")
NO_CLOSING_READ = N_("{meter} has no good reading within {hours} h before {until}; the last good one is of {last}")
NO_READ_AT_ALL = N_("{meter} has no good reading within {hours} h before {until}; there is none at all")
ONE_READ_ONLY = N_("{meter} has no good reading between its opening read and {until}; two make a bill")
BAD_MULTIPLIER = N_("{meter} has the multiplier '{multiplier}'; it is a number above zero")
WENT_BACK = N_("{meter} went back from {before} to {after}; suspect, nothing is billed from it until it is explained")
NOT_IN_FORCE = N_("tariff '{tariff}' begins on {first}, after {day}")
SHARED_METER = N_("{meter} is claimed by two metering points at once; correct the records")
UNKNOWN_TARIFF_NEAR = N_("there is no tariff '{tariff}'; did you mean '{near}'?")
UNKNOWN_TARIFF = N_("there is no tariff '{tariff}'; the known ones are {known}")


class _Known(dict[str, Any]):
    """Leaves a field that nobody gave as it stands, so that an old charge can still be read."""

    def __missing__(self, key: str) -> str:
        return f"{{{key}}}"


def said(description: Mapping[str, Any], table: Mapping[str, str], language: Language | None = None) -> str:
    """Say a description {"key": ..., fields} in a language, or in English."""
    key = str(description.get("key", ""))
    text = table.get(key, key)
    if language is not None and text:
        text = language.gettext(text)
    return text.format_map(_Known(description))

"""What is known of a resident as one JSON object, theirs to take along."""

from collections.abc import Sequence
from typing import Any

from central_server.billing.period import to_iso
from central_server.billing.view import BillSummary
from central_server.portal.service import Home
from central_server.portal.store import Me
from central_server.visitors.store import Visit


def about(
    me: Me, agreed_at: int | None, homes: Sequence[Home], bills: Sequence[BillSummary], visits: Sequence[Visit]
) -> dict[str, Any]:
    """Put it together; instants are ISO 8601 UTC, money is yuan as text."""
    return {
        "name": me.name,
        "phone": me.phone,
        "id_number": me.id_number,
        "vehicles": list(me.plates),
        "agreed_at": None if agreed_at is None else to_iso(agreed_at),
        "units": [
            {
                "site": home.unit.site_name,
                "building": home.unit.building_name,
                "unit": home.unit.code,
                "stays": [{"kind": stay.kind, "from": stay.from_on, "to": stay.to_on} for stay in home.stays],
            }
            for home in homes
        ],
        "bills": [bill.to_json() for bill in bills],
        "visitors": [
            {
                "name": visit.name,
                "phone": visit.phone,
                "plate": visit.plate,
                "from": to_iso(visit.from_at),
                "until": to_iso(visit.until_at),
                "state": visit.state.value,
            }
            for visit in visits
        ],
    }

"""What work orders say to people."""

from central_server.dashboard.i18n import N_
from central_server.workorders.model import State

STATES = {
    "new": N_("new"),
    "triaged": N_("judged"),
    "pool": N_("in the pool"),
    "assigned": N_("given out"),
    "accepted": N_("accepted"),
    "en_route": N_("on the way"),
    "on_site": N_("on site"),
    "in_progress": N_("being repaired"),
    "paused": N_("paused"),
    "quoted": N_("price to be approved"),
    "done": N_("repaired"),
    "await_payment": N_("to be paid"),
    "await_confirm": N_("to be confirmed"),
    "closed": N_("closed"),
    "reopened": N_("reopened"),
    "deferred": N_("put off"),
    "merged": N_("merged"),
    "rejected": N_("rejected"),
    "cancelled": N_("taken back by the requester"),
}

# Why a step is refused that the state does not have.
REFUSALS = {
    State.NEW: N_("Nobody has judged this work order yet. Judge it first."),
    State.TRIAGED: N_("This work order is with the dispatcher, who gives it out next."),
    State.POOL: N_("This work order waits in the pool for a technician to take it."),
    State.ASSIGNED: N_("This work order is given out and not accepted yet."),
    State.ACCEPTED: N_("The technician has accepted this work order and sets out next."),
    State.EN_ROUTE: N_("The technician is on the way."),
    State.ON_SITE: N_("The technician is on site and begins the repair next."),
    State.IN_PROGRESS: N_("The repair is under way. It is finished, paused or quoted next."),
    State.PAUSED: N_("This work order is paused. The technician goes on with it first."),
    State.QUOTED: N_("A price waits for approval. Nothing goes on before that."),
    State.DONE: N_("The repair is done."),
    State.AWAIT_PAYMENT: N_("The repair is done and waits for its payment."),
    State.AWAIT_CONFIRM: N_("The repair is done and waits to be confirmed."),
    State.CLOSED: N_("This work order is closed."),
    State.REOPENED: N_("This work order was reopened and is given out again first."),
    State.DEFERRED: N_("This work order is put off. Take it up first."),
    State.MERGED: N_("This work order was merged into another one. Go on there."),
    State.REJECTED: N_("This work order was rejected."),
    State.CANCELLED: N_("Whoever reported this has taken it back."),
}

# What a button says.
STEPS = {
    "triage": N_("Judge"),
    "merge": N_("Merge"),
    "reject": N_("Reject"),
    "pool": N_("Put into the pool"),
    "assign": N_("Give out"),
    "transfer": N_("Give to somebody else"),
    "defer": N_("Put off"),
    "take_up": N_("Take up again"),
    "grab": N_("Take this order"),
    "accept": N_("Accept"),
    "decline": N_("Decline"),
    "depart": N_("Set out"),
    "arrive": N_("I am on site"),
    "start": N_("Begin the repair"),
    "pause": N_("Pause"),
    "resume": N_("Go on"),
    "quote": N_("Quote a price"),
    "approve": N_("Approve the price"),
    "refuse": N_("Refuse the price"),
    "finish": N_("Finish the repair"),
    "settle": N_("Note the payment"),
    "confirm": N_("The fault is gone"),
    "reopen": N_("The fault is still there"),
    "cancel": N_("Take the report back"),
}

# What the history says of an event.
EVENTS = {
    "open": N_("reported it"),
    "comment": N_("wrote"),
    "repeat": N_("the fault was told again"),
    "urge": N_("urged"),
    "rate": N_("rated the repair"),
    "link": N_("another report was merged into this one"),
    "triage": N_("judged it"),
    "merge": N_("merged it into another work order"),
    "reject": N_("rejected it"),
    "pool": N_("put it into the pool"),
    "assign": N_("gave it out"),
    "transfer": N_("gave it to somebody else"),
    "defer": N_("put it off"),
    "take_up": N_("took it up again"),
    "grab": N_("took it from the pool"),
    "accept": N_("accepted it"),
    "decline": N_("declined it"),
    "depart": N_("set out"),
    "arrive": N_("arrived on site"),
    "start": N_("began the repair"),
    "pause": N_("paused it"),
    "resume": N_("went on"),
    "quote": N_("quoted a price"),
    "approve": N_("approved the price"),
    "refuse": N_("refused the price"),
    "finish": N_("finished the repair"),
    "bill": N_("waits for payment"),
    "hand_over": N_("waits for confirmation"),
    "settle": N_("noted the payment"),
    "confirm": N_("confirmed that the fault is gone"),
    "lapse": N_("closed by itself, as nobody objected"),
    "reopen": N_("reopened it"),
    "return": N_("gave it back to the same technician"),
    "cancel": N_("took it back"),
}
# What a resident reads of it; how the work is shared out is the office's own.
OF_INTEREST = frozenset(EVENTS) - {"triage", "pool", "decline", "transfer", "return", "hand_over", "link", "repeat"}

CATEGORIES = {
    "water": N_("Water and drains"),
    "power": N_("Electricity and light"),
    "lift": N_("Lift"),
    "door": N_("Doors and entry"),
    "air": N_("Heating and air"),
    "building": N_("Walls, roof and windows"),
    "grounds": N_("Grounds and cleaning"),
    "other": N_("Something else"),
}
URGENCIES = {
    "emergency": N_("emergency"),
    "urgent": N_("urgent"),
    "normal": N_("normal"),
    "low": N_("can wait"),
}
SOURCES = {
    "resident": N_("resident"),
    "phone": N_("phone"),
    "staff": N_("staff"),
    "alarm": N_("device alarm"),
    "finding": N_("inspection"),
}
REASONS = {
    "parts": N_("Parts are missing"),
    "owner": N_("Nobody is at home"),
    "weather": N_("The weather"),
    "third_party": N_("Somebody else must act first"),
}
STARS = {
    "5": N_("very good"),
    "4": N_("good"),
    "3": N_("fair"),
    "2": N_("poor"),
    "1": N_("bad"),
}
UNNAMED = N_("Alarm of a device")
# What a resident sees as bars: how far the repair has come.
STAGES = (
    (N_("Reported"), frozenset({"new", "triaged", "deferred", "pool", "reopened"})),
    (N_("Given out"), frozenset({"assigned", "accepted"})),
    (N_("On the way"), frozenset({"en_route", "on_site"})),
    (N_("Repair"), frozenset({"in_progress", "paused", "quoted"})),
    (N_("Done"), frozenset({"done", "await_payment", "await_confirm", "closed"})),
)
COLUMNS = (
    ("new", N_("To judge"), ("new", "reopened")),
    ("triaged", N_("To give out"), ("triaged", "deferred")),
    ("pool", N_("Pool"), ("pool",)),
    ("assigned", N_("Given out"), ("assigned", "accepted")),
    ("working", N_("Under way"), ("en_route", "on_site", "in_progress")),
    ("stopped", N_("Standing still"), ("paused", "quoted")),
    ("waiting", N_("To confirm"), ("done", "await_payment", "await_confirm")),
)


def stage_of(state: str) -> int:
    """Give how many stages an order has reached, 0 for one that ended without a repair."""
    return next((at for at, (_, states) in enumerate(STAGES, start=1) if state in states), 0)

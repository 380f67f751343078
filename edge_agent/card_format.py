"""How the readers of this gateway send their cards: usual formats by name, others as [[card_format]].

[[card_format]]
id = "gate-readers"
bits = 34
parity = ["EXXXXXXXXXXXXXXXX.................", ".................XXXXXXXXXXXXXXXXO"]
facility = [1, 16]           # first and last bit as sent, from 0, parity bits counted
card = [17, 32]
order = "bytes-reversed"     # or "as-sent", "bits-reversed": of the data between the parities
give = 34                    # the format that the house knows these cards by

[[device]]
card_formats = ["gate-readers", "wiegand-26"]    # the one with the card's number of bits is taken
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from protocols.toml import Document, Fault
from protocols.wiegand_rule import CardRule, read_mask, rule_complaints, usual_rule

USUAL: Mapping[str, CardRule] = {
    "wiegand-26": usual_rule(26),
    "wiegand-34": usual_rule(34),
    "wiegand-34-reversed": usual_rule(34, "bytes-reversed"),
    "wiegand-37": usual_rule(37),
}
_Place = Annotated[int, Field(ge=0, le=63)]
_REMEDIES = {
    "bits": "Count them with 'edge decode wiegand', or see what the gateway says of an unread card.",
    "parity": "Write one character for each bit as sent, such as EXXXXXXXXXXXX............. for 26 bits.",
    "facility": "Give first and last bit as sent, from 0, parity bits counted.",
    "card": "Give first and last bit as sent, from 0, parity bits counted.",
    "order": "Take 'bits-reversed' or 'as-sent', or correct 'bits'.",
    "give": "Give 26, 34 or 37 bits, in which the house's rules name cards.",
}


class CardFormatTable(BaseModel):
    """A [[card_format]]."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
    bits: int
    parity: tuple[str, ...] = ()
    facility: tuple[_Place, _Place] | None = None
    card: tuple[_Place, _Place] | None = None
    order: Literal["as-sent", "bytes-reversed", "bits-reversed"] = "as-sent"
    give: int | None = None

    @property
    def rule(self) -> CardRule:
        """The rule; only of a table without complaints."""
        masks = tuple(map(read_mask, self.parity))
        return CardRule(self.bits, masks, self.facility, self.card, self.order, self.give)


def lint_formats(document: Document, tables: Sequence[CardFormatTable]) -> Iterator[Fault]:
    """Find what is wrong with the [[card_format]] tables."""
    seen: dict[str, int] = {}
    for index, table in enumerate(tables):
        loc = ("card_format", index)
        if table.id in USUAL or table.id in seen:
            message = f"the id '{table.id}' is taken"
            yield document.fault((*loc, "id"), message, "Give each format its own id.")
        seen.setdefault(table.id, index)
        wrong = rule_complaints(table.bits, table.parity, table.facility, table.card, table.order, table.give)
        for key, message in wrong.items():
            yield document.fault((*loc, key), message, _REMEDIES[key])


def lint_choice(
    document: Document, index: int, names: Sequence[str], tables: Sequence[CardFormatTable]
) -> Iterator[Fault]:
    """Find what is wrong with a device's ``card_formats``."""
    bits = {name: rule.bits for name, rule in USUAL.items()} | {table.id: table.bits for table in tables}
    seen: dict[int, str] = {}
    for name in names:
        if name not in bits:
            near = difflib.get_close_matches(name, bits, n=1)
            remedy = f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(bits)}."
            yield document.fault(("device", index, "card_formats"), f"there is no card format '{name}'", remedy)
        elif (other := seen.get(bits[name])) is not None:
            message = f"'{other}' and '{name}' both have {bits[name]} bits"
            yield document.fault(("device", index, "card_formats"), message, "A reader sends one of them: name that.")
        else:
            seen[bits[name]] = name


def choose_rules(names: Sequence[str], tables: Sequence[CardFormatTable]) -> tuple[CardRule, ...]:
    """Give the rules of a reader whose choice has been found right."""
    known = dict(USUAL) | {table.id: table.rule for table in tables if table.id in names}
    return tuple(known[name] for name in names)

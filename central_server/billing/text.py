"""Bills, quotes and runs as plain lines for a terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from central_server.billing.canonical import canonical_json
from central_server.billing.money import plain, yuan
from central_server.billing.run import RunResult
from central_server.billing.view import BillPage, BillView, LineView
from central_server.billing.words import CHARGES, said


def run_lines(result: RunResult, seconds: str) -> Iterator[str]:
    """Say what a run did."""
    said = result.to_json()
    verb = "would issue" if result.is_dry_run else "issued"
    if result.bills:
        yield f"{said['period']}: {verb} {said['bills']} bills with {said['lines']} lines, {said['total']} yuan, in {seconds} s"
        yield f"  metered: {said['metered']['kwh']} kWh, {said['metered']['m3']} m3"
    else:
        yield f"{said['period']}: nothing to issue"
    if result.already_billed:
        yield f"  already billed: {result.already_billed} metering points; no line is issued twice"
    if result.waiting_batches:
        yield f"  {result.waiting_batches} received batches are not expanded yet; what they hold counts in the next run"
    for each in result.parked:
        yield f"  parked {each.account} (unit {each.unit}): {each.reason}"
    if result.bills:
        yield f"  input {said['input_hash']}"
        yield f"  output {said['output_hash']}"


def page_lines(page: BillPage) -> Iterator[str]:
    """List bills, one a line."""
    for each in page.items:
        yield f"{each.number}  {each.unit:<12} {yuan(each.total_fen):>12}  due {each.due_on}  {each.owner}".rstrip()
    yield f"{len(page.items)} of {page.total}"


def bill_lines(bill: BillView) -> Iterator[str]:
    """Print a bill and why it amounts to what it does."""
    head = bill.summary
    yield f"{head.number}  {head.period}  unit {head.unit} ({bill.building})  {head.owner}".rstrip()
    yield f"total {yuan(head.total_fen)} yuan, due {head.due_on}, paid {yuan(head.paid_fen)} ({head.reference})"
    for line in bill.lines:
        yield ""
        yield from _line(line)


def _line(line: LineView) -> Iterator[str]:
    trace = line.trace
    if line.source_key is not None:
        yield f"{line.position}. {said(trace['description'], CHARGES)}  {yuan(line.amount_fen)} yuan"
        yield f"   charge {line.source_key} of {trace['period']}: {canonical_json(trace['evidence'])}"
        return
    yield f"{line.position}. {line.description_key}  {plain(line.quantity)} {line.unit}  {yuan(line.amount_fen)} yuan"
    yield f"   meter {trace['meter']['gateway']}/{trace['meter']['device']} {trace['register']}, metering point {line.point}"
    for name in ("opening", "closing"):
        read = trace[name]
        evidence = _evidence(read["batch"])
        yield f"   {name} {read['value']} {read['unit']} at {read['at']} ({read['quality']}), {evidence}"
    yield f"   difference x {trace['multiplier']} = {trace['consumption']} {trace['unit']}"
    tariff = trace["tariff"]
    yield f"   tariff {tariff['code']} of {tariff['version']}, prices {tariff['digest'][:16]}"
    if trace["tier_period"]:
        yield f"   used before in this {trace['tier_period']}: {trace['used_before']} {trace['unit']}"
    yield from tier_lines(trace, trace["unit"])


def tier_lines(priced: Mapping[str, Any], unit: str) -> Iterator[str]:
    """Print tiers, components and the rounding of a priced use."""
    for tier in priced["tiers"]:
        span = f"{tier['from']} to {tier['to']}" if tier["to"] else f"above {tier['from']}"
        yield f"   {span} {unit}: {tier['quantity']} x {tier['price']} = {tier['exact']}"
    for component in priced["components"]:
        yield f"   of which {component['name']['en']}: {component['amount']}"
    yield f"   {priced['rounding']['exact']} is rounded once to {priced['rounding']['rounded']} yuan"


def _evidence(batch: dict[str, Any] | None) -> str:
    if batch is None:
        return "noted at the installation"
    return f"batch {batch['digest'][:16]} seq {batch['seq']} of {batch['gateway']}"

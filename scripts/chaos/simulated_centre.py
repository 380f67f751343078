"""The centre of a simulated run: its durable state in memory, every decision the product's own."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from central_server.sync import intake
from central_server.telemetry.parts import open_batch
from edge_agent.transport import Reply
from protocols.errors import ProtocolError
from protocols.quantity import from_scaled
from protocols.sync import Event, Header, Lane, Series, batch_header

UNREADABLE = "unreadable"  # the kind of events and the device of readings that this centre cannot read


class Told(NamedTuple):
    """A record as the centre's tables have it; ``record`` is an event, a reading's value, or None of one set aside."""

    epoch: int
    lane: Lane
    seq: int
    record: Any


class Forked(AssertionError):
    """A gateway was taken for another box."""


@dataclass(slots=True)
class Centre:
    """The centre's durable state, changed only as ``intake`` decides, and all at once."""

    public: str
    can_read_all: bool = True
    marks: dict[tuple[int, Lane], int] = field(default_factory=dict)
    epochs: list[int] = field(default_factory=list)
    names: dict[int, list[Series]] = field(default_factory=dict)
    log: list[tuple[Header, int, bytes]] = field(default_factory=list)
    of_lane: dict[tuple[int, Lane], list[intake.Logged]] = field(default_factory=dict)

    def deliver(self, body: bytes) -> Reply:
        """Take a batch as ``central_server.sync.service`` does; all of it is one commit."""
        try:
            header = batch_header(body)
        except ProtocolError as error:
            return refusal(400, "sync_broken_batch", kind=error.kind)
        if not header.is_signed_by(self.public):
            return refusal(403, "sync_bad_signature")
        lane = (header.epoch, header.lane)
        logged = self.of_lane.setdefault(lane, [])
        names = self.names.setdefault(header.epoch, [])
        series = self.series(header.epoch)
        if not self.can_read_all and any(map(_is_unreadable, intake.numbered(body, series).values())):
            return refusal(400, "sync_broken_batch", kind="unknown_record")
        mark = self.marks.get(lane, 0)
        if header.first_seq <= mark:
            beside = [each for each in logged if each.from_seq <= header.last_seq and each.last_seq >= header.first_seq]
            is_same = any(each.digest == header.digest for each in beside)
            if not is_same and intake.contradicts(intake.numbered(body, series), beside, series):
                raise Forked(f"{header.first_seq} to {header.last_seq} of {header.lane.word} contradict the log")
        newest = self.epochs[-1] if self.epochs else None
        match intake.decide(header, intake.Lane(mark, newest, header.epoch in self.epochs)):
            case intake.Repeated(mark):
                return _acked(mark, logged[-1].digest, len(names))
            case intake.Missing(expected):
                return refusal(409, "sync_gap", expected=expected)
            case intake.Fenced():
                return refusal(409, "sync_fenced")
            case intake.Taken(from_seq, is_new_store):
                match intake.learn(header, len(names), names[header.names_base :]):
                    case intake.Unnamed(have):
                        return refusal(409, "sync_names", have=have)
                    case intake.Renamed():
                        raise Forked("a series has another number")
                    case intake.Learnt(_, fresh):
                        names += fresh
                if is_new_store:
                    self.epochs.append(header.epoch)
                self.marks[lane] = header.last_seq
                self.log.append((header, from_seq, body))
                logged.append(intake.Logged(from_seq, header.last_seq, header.digest, body))
                return _acked(header.last_seq, header.digest, len(names))
        raise AssertionError("intake has decided nothing")

    def series(self, epoch: int) -> dict[int, Series]:
        return dict(enumerate(self.names.get(epoch, ()), 1))

    def told(self) -> Iterator[Told]:
        """Expand the log as the product does: each batch by itself, what no table can take set aside."""
        for header, from_seq, body in self.log:
            opened = open_batch(body, from_seq, self.series(header.epoch))
            found: list[tuple[int, Any]] = list(opened.events)
            for column in opened.columns:
                values = (from_scaled(mantissa, column.exponent) for mantissa in column.mantissas)
                found += zip(column.seqs, values, strict=True)
            if opened.refused:
                known = {seq for seq, _ in found}
                rest = intake.numbered(body, self.series(header.epoch))
                found += [(seq, None) for seq in rest if seq >= from_seq and seq not in known]
            for seq, record in sorted(found, key=lambda each: each[0]):
                yield Told(header.epoch, header.lane, seq, record)


def _is_unreadable(record: Any) -> bool:
    return (record.kind if isinstance(record, Event) else record.series.device) == UNREADABLE


def _acked(mark: int, head: str, names: int) -> Reply:
    return _reply(200, {"acked": mark, "head": head, "names": names})


def refusal(status: int, key: str, **fields: Any) -> Reply:
    return _reply(status, {"error": {"key": key, "message": key, "fields": fields}})


def _reply(status: int, document: dict[str, Any]) -> Reply:
    return Reply(status, json.dumps(document).encode())

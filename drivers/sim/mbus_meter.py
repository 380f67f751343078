"""M-Bus meters of one line: states by frame, and what comes back when several of them speak at once.

    idle      --its selection--> selected      answers at 253
    selected  --another's, or SND_NKE to 253--> idle

A meter with more records than one telegram holds sends the next one for the next frame count bit,
and the same one again for the same.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import partial, reduce
from itertools import zip_longest

from drivers.profile.mbus import Source
from drivers.sim.answer import Answer, Compose
from drivers.sim.journal import Served
from drivers.sim.simulated import Simulated
from protocols.errors import ProtocolError
from protocols.framing import scanner
from protocols.mbus import frame as link
from protocols.mbus.address import Secondary, decode_secondary, manufacturer_code, parse_secondary
from protocols.mbus.frame import FCB, REQ_UD2, RSP_UD, SELECTED, SND_NKE, SND_UD, Frame
from protocols.mbus.header import Header, encode_header
from protocols.mbus.record import encode_record
from protocols.mbus.vif import FB, FD, PRIMARY
from protocols.quantity import Quantity, canonical
from protocols.stream import Found

_MEDIA = {"electricity": 0x02, "gas": 0x03, "heat": 0x04, "water": 0x07}
_FUNCTIONS = {"instantaneous": 0, "maximum": 1, "minimum": 2, "error": 3}
_ROOM = 200  # bytes of records in one telegram
_MORE_FOLLOWS = b"\x1f"
# Four bytes of a signed number.
_LIMIT = 2**31


class MbusMeter:
    """One meter: ``hear`` a frame and give what it answers; ``records`` is asked at the moment of answering."""

    def __init__(
        self, primary: int, own: Secondary, records: Callable[[], Sequence[bytes]], *, status: int = 0
    ) -> None:
        self.primary = primary
        self.own = own
        self._records = records
        self._status = status
        self._is_selected = False
        self._access = 0
        self._telegrams: list[bytes] = []
        self._place = 0
        self._fcb: int | None = None

    def hear(self, frame: Frame) -> bytes | None:
        """Answer a frame, or none where it is for somebody else."""
        if frame.ci == link.CI_SELECT and frame.address == SELECTED and frame.control is not None:
            return self._select(frame) if frame.control | FCB == SND_UD | FCB else None
        if frame.address != self.primary and not (frame.address == SELECTED and self._is_selected):
            return None
        if frame.control == SND_NKE:
            self._is_selected = self._is_selected and frame.address != SELECTED
            self._fcb = None
            return link.encode_frame(Frame())
        if frame.control is not None and frame.ci is None and frame.control | FCB == REQ_UD2 | FCB:
            return self._answer(frame.control & FCB)
        return None

    def _select(self, frame: Frame) -> bytes | None:
        try:
            self._is_selected = decode_secondary(frame.data[:8]).fits(self.own)
        except ProtocolError:
            self._is_selected = False
        self._fcb = None
        return link.encode_frame(Frame()) if self._is_selected else None

    def _answer(self, fcb: int) -> bytes:
        if self._fcb is None or not self._telegrams:
            self._telegrams, self._place = _telegrams(self._records()), 0
        elif fcb != self._fcb:
            self._place += 1
            if self._place >= len(self._telegrams):
                self._telegrams, self._place = _telegrams(self._records()), 0
        self._fcb = fcb
        self._access = (self._access + 1) & 0xFF
        header = encode_header(Header(self.own, self._access, self._status))
        data = header + self._telegrams[self._place]
        return link.encode_frame(Frame(RSP_UD, self.primary, link.CI_VARIABLE, data))


def _telegrams(records: Iterable[bytes]) -> list[bytes]:
    """Put records into as few telegrams as hold them."""
    found = [b""]
    for record in records:
        if len(found[-1]) + len(record) > _ROOM:
            found[-1] += _MORE_FOLLOWS
            found.append(b"")
        found[-1] += record
    return found


def collide(answers: Sequence[bytes]) -> bytes:
    """Give what a master hears of meters that speak at once: a space of one of them wins over marks of the others."""
    return bytes(
        reduce(lambda one, other: one & other, column, 0xFF) for column in zip_longest(*answers, fillvalue=0xFF)
    )


class MbusStation:
    """All meters of a line as one ear."""

    def __init__(self, meters: Sequence[MbusMeter], served: Callable[[MbusMeter], tuple[Served, ...]]) -> None:
        self._scanner = scanner("mbus")
        self._meters = meters
        self._served = served

    def feed(self, data: bytes) -> list[Compose]:
        """Take bytes in any portions."""
        return self._requests(self._scanner.feed(data))

    def flush(self) -> list[Compose]:
        """Give up on a request whose bytes have stopped coming."""
        return self._requests(self._scanner.flush())

    def _requests(self, found: Iterable[Found]) -> list[Compose]:
        return [partial(self._compose, piece.frame) for piece in found if piece.frame is not None]

    def _compose(self, frame: Frame) -> Answer | None:
        answers = [(meter, data) for meter in self._meters if (data := meter.hear(frame)) is not None]
        if not answers:
            return None
        if len(answers) > 1:
            return Answer(collide([data for _, data in answers]))
        meter, data = answers[0]
        return Answer(data, self._served(meter) if len(data) > 1 else ())


def mbus_station(simulated: Sequence[Simulated], now_ms: Callable[[], int]) -> MbusStation:
    """Make the station of a simulated site's line."""
    meters = {MbusMeter(*_addresses(it), partial(_records, it, now_ms)): it for it in simulated}

    def served(meter: MbusMeter) -> tuple[Served, ...]:
        it = meters[meter]
        values = it.model.values(now_ms())
        return tuple(
            Served(it.device.id, point, value, unit)
            for point, unit in it.model.registers.items()
            if isinstance(value := values[point], Decimal) and any(known.name == point for known in it.profile.points)
        )

    return MbusStation(tuple(meters), served)


def _addresses(it: Simulated) -> tuple[int, Secondary]:
    """Give a device both addresses; a site names one of them."""
    medium = _MEDIA[it.profile.kind]
    if len(it.device.address) >= 8:
        named = parse_secondary(it.device.address)
        maker = named.manufacturer if named.manufacturer != 0xFFFF else manufacturer_code("SIM")
        return 0, Secondary(named.identification, maker, named.version & 0x7F, medium)
    primary = int(it.device.address)
    return primary, Secondary(f"{primary:08d}", manufacturer_code("SIM"), 1, medium)


def _records(it: Simulated, now_ms: Callable[[], int]) -> list[bytes]:
    """Write every point of the profile that the model has."""
    values = it.model.values(now_ms())
    found = []
    for point in it.profile.points:
        source, value = point.source, values.get(point.name)
        assert isinstance(source, Source)
        if not isinstance(value, Decimal):
            continue
        vib, number = encode_value(source.quantity, Quantity(value, point.canonical_unit))
        found.append(
            encode_record(
                vib,
                number,
                storage=source.storage,
                tariff=source.tariff,
                subunit=source.subunit,
                function=_FUNCTIONS[source.function],
            )
        )
    return found


def encode_value(quantity: str, wanted: Quantity) -> tuple[str, int]:
    """Find the information block whose number gives a value exactly, or else as nearly as it can.

    Shape: the block in hex, and the number.

    Raises: KeyError where no block has this quantity in this unit.
    """
    assert wanted.value is not None
    best: tuple[Decimal, int, str, int] | None = None
    for prefix, table in (("", PRIMARY), ("FB", FB), ("FD", FD)):
        for code, vif in table.items():
            if vif.quantity != quantity or vif.form == "time":
                continue
            try:
                one = canonical(Quantity(Decimal(vif.factor).scaleb(vif.exponent), vif.unit))
            except KeyError:
                continue
            if one.unit != wanted.unit or not one.value:
                continue
            number = int((wanted.value / one.value).to_integral_value())
            if not -_LIMIT <= number < _LIMIT:
                continue
            found = (abs(number * one.value - wanted.value), abs(number), f"{prefix}{code:02X}", number)
            best = found if best is None else min(best, found)
    if best is None:
        raise KeyError(f"{quantity} in {wanted.unit}")
    return best[2], best[3]

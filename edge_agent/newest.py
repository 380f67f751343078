"""The newest reading of each point, as it was stored: what a dashboard is shown while a backlog is on its way."""

from collections.abc import Iterable, Sequence

from protocols.record import Reading, Record, Series


class Newest:
    """Keeps one reading a point, and which of them have changed since they were last sent."""

    def __init__(self) -> None:
        self._taken_at: dict[Series, int] = {}
        self._changed: dict[Series, Reading] = {}

    def note(self, records: Iterable[Record]) -> None:
        """Take in what was stored; older readings, such as those read back from a meter, change nothing."""
        for record in records:
            if isinstance(record, Reading) and record.taken_at >= self._taken_at.get(record.series, record.taken_at):
                self._taken_at[record.series] = record.taken_at
                self._changed[record.series] = record

    def changed(self, most: int) -> list[Reading]:
        """Give what has changed, those first that have waited longest."""
        return list(self._changed.values())[:most]

    def sent(self, readings: Sequence[Reading]) -> None:
        """Note that readings were shown; what has changed meanwhile stays."""
        for reading in readings:
            if self._changed.get(reading.series) is reading:
                del self._changed[reading.series]

"""The newest reading of each point, as it was stored: what a dashboard is shown while a backlog is on its way."""

from collections.abc import Sequence
from operator import itemgetter

from protocols.record import Reading, Record, Series

_SERIES, _AT = itemgetter(0), itemgetter(1)


class Newest:
    """Keeps one reading a point, and which of them have changed since they were last sent."""

    def __init__(self) -> None:
        self._taken_at: dict[Series, int] = {}
        self._changed: dict[Series, Reading] = {}

    def note(self, records: Sequence[Record]) -> None:
        """Take in what was stored; older readings, such as those read back from a meter, change nothing."""
        if set(map(type, records)) != {Reading}:
            records = [record for record in records if isinstance(record, Reading)]
        readings = sorted(records, key=_AT)
        for series, reading in dict(zip(map(_SERIES, readings), readings, strict=True)).items():
            if reading.taken_at >= self._taken_at.get(series, reading.taken_at):
                self._taken_at[series] = reading.taken_at
                self._changed[series] = reading

    def changed(self, most: int) -> list[Reading]:
        """Give what has changed, those first that have waited longest."""
        return list(self._changed.values())[:most]

    def sent(self, readings: Sequence[Reading]) -> None:
        """Note that readings were shown; what has changed meanwhile stays."""
        for reading in readings:
            if self._changed.get(reading.series) is reading:
                del self._changed[reading.series]

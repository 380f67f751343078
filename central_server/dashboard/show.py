"""How numbers, money and time look on a page, in the reader's language and the site's zone."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_skeleton, format_time
from babel.numbers import format_decimal

from central_server.dashboard.i18n import N_, Language

NOTHING = "–"

# The browser counts ages on with the same patterns; see live.js.
AGES = {"s": N_("{s} s"), "m": N_("{m} min"), "h": N_("{h} h {m} min"), "d": N_("{d} d {h} h")}

_UNITS = {"m3": "m³", "m3/h": "m³/h", "degC": "°C", "deg": "°", "CNY": "¥"}


@dataclass(frozen=True, slots=True)
class Show:
    """Prints for one page. Units: instants in ms since 1970 UTC; ``now`` is the page's own."""

    language: Language
    zone: ZoneInfo
    now: int

    def number(self, value: Decimal | int | str | None, digits: int | None = None) -> str:
        """Print a number with its thousands apart; all of its digits where none are named."""
        if value is None:
            return NOTHING
        exact = Decimal(value)
        if digits is not None:
            exact = exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
        places = -int(exact.as_tuple().exponent)
        pattern = "#,##0" + ("." + "0" * places if places > 0 else "")
        return str(format_decimal(exact + 0, format=pattern, locale=self.language.locale))

    def money(self, fen: int) -> str:
        """Print an amount in yuan with two places, without the sign of the currency."""
        return str(format_decimal(Decimal(fen).scaleb(-2), format="#,##0.00", locale=self.language.locale))

    def unit(self, code: str) -> str:
        return _UNITS.get(code, code)

    def age(self, at: int) -> str:
        """Say how long ago an instant is."""
        return self.length(self.now - at)

    def length(self, ms: int) -> str:
        """Say how long something lasts."""
        seconds = max(0, ms // 1000)
        minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
        kind = "s" if seconds < 60 else "m" if minutes < 60 else "h" if hours < 24 else "d"
        values = {
            "s": {"s": seconds},
            "m": {"m": minutes},
            "h": {"h": hours, "m": minutes % 60},
            "d": {"d": days, "h": hours % 24},
        }[kind]
        pattern = AGES[kind]
        return self.language.gettext(pattern).format(**values)

    def local(self, at: int) -> datetime:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)).astimezone(self.zone)

    def iso(self, at: int) -> str:
        """Print an instant for programs, and for people who hover over it."""
        return self.local(at).isoformat(timespec="seconds")

    def full(self, at: int) -> str:
        """Print an instant whole, to the second."""
        return str(format_datetime(self.local(at), "medium", tzinfo=self.zone, locale=self.language.locale))

    def clock(self, at: int) -> str:
        return str(format_time(self.local(at), "HH:mm:ss", tzinfo=self.zone, locale=self.language.locale))

    def moment(self, at: int) -> str:
        """Print an instant short: the time today, the day with it otherwise."""
        local = self.local(at)
        if local.date() == self.local(self.now).date():
            return str(format_time(local, "HH:mm", tzinfo=self.zone, locale=self.language.locale))
        return self.minute(at)

    def minute(self, at: int) -> str:
        """Print a day and its time to the minute."""
        time = format_time(self.local(at), "HH:mm", tzinfo=self.zone, locale=self.language.locale)
        return f"{self.day_of(at)} {time}"

    def day(self, on: str) -> str:
        return str(format_date(date.fromisoformat(on), "long", locale=self.language.locale))

    def short_day(self, on: str) -> str:
        return str(format_skeleton("MMMd", date.fromisoformat(on), locale=self.language.locale))

    def day_of(self, at: int) -> str:
        return str(format_skeleton("MMMd", self.local(at), tzinfo=self.zone, locale=self.language.locale))

    def month(self, period: str) -> str:
        """Print a billing period such as 2026-10."""
        return str(format_skeleton("yMMMM", date.fromisoformat(f"{period}-01"), locale=self.language.locale))

    def zone_name(self) -> str:
        return self.zone.key

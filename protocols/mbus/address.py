"""Secondary addresses: what a meter of M-Bus is called by its maker, and patterns for a search.

Written as sixteen digits, as other M-Bus software does: identification (8, as printed on the
meter), manufacturer (4, the bytes as they come), version (2), medium (2). F in the
identification and FF elsewhere stand for anything: ``06855817FFFFFFFF``.
"""

from dataclasses import dataclass, replace

from protocols.errors import MalformedFrame

_HEX = frozenset("0123456789ABCDEF")
_LENGTH = 8
ANY = "FFFFFFFFFFFFFFFF"


@dataclass(frozen=True, slots=True)
class Secondary:
    """A secondary address, or a pattern with wildcards; ``identification`` has eight digits or F."""

    identification: str
    manufacturer: int
    version: int
    medium: int

    @property
    def text(self) -> str:
        wire = self.manufacturer.to_bytes(2, "little")
        return f"{self.identification}{wire.hex().upper()}{self.version:02X}{self.medium:02X}"

    @property
    def is_pattern(self) -> bool:
        """Whether meters with different identifications may fit."""
        return "F" in self.identification

    def fits(self, own: "Secondary") -> bool:
        """Tell whether a meter with this address feels asked."""
        digits = zip(self.identification, own.identification, strict=True)
        return all(wanted in ("F", digit) for wanted, digit in digits) and all(
            wanted in (anything, found)
            for wanted, found, anything in (
                (self.manufacturer, own.manufacturer, 0xFFFF),
                (self.version, own.version, 0xFF),
                (self.medium, own.medium, 0xFF),
            )
        )

    def narrowed(self, place: int, digit: int) -> "Secondary":
        """Put a digit in the place of a wildcard."""
        digits = self.identification
        return replace(self, identification=f"{digits[:place]}{digit}{digits[place + 1 :]}")


def parse_secondary(text: str) -> Secondary:
    """Read a secondary address as people write it; eight digits alone leave the rest open.

    Raises: ValueError.
    """
    digits = text.upper()
    if len(digits) == _LENGTH:
        digits += ANY[_LENGTH:]
    if len(digits) != len(ANY) or not set(digits) <= _HEX or not set(digits[:_LENGTH]) <= set("0123456789F"):
        raise ValueError(
            f"'{text}' is not a secondary address: eight digits of the identification, "
            "or sixteen with manufacturer, version and medium"
        )
    return decode_secondary(bytes.fromhex(digits[:_LENGTH])[::-1] + bytes.fromhex(digits[_LENGTH:]))


def decode_secondary(wire: bytes) -> Secondary:
    """Read the eight bytes of a selection or of a meter's header.

    Raises: MalformedFrame.
    """
    if len(wire) != _LENGTH:
        raise MalformedFrame(f"a secondary address has 8 bytes, not {len(wire)}")
    identification = wire[3::-1].hex().upper()
    return Secondary(identification, int.from_bytes(wire[4:6], "little"), wire[6], wire[7])


def encode_secondary(address: Secondary) -> bytes:
    """Put a secondary address on the wire."""
    identification = bytes.fromhex(address.identification)[::-1]
    return identification + address.manufacturer.to_bytes(2, "little") + bytes((address.version, address.medium))


def manufacturer_letters(code: int) -> str:
    """Name a manufacturer by the three letters that its code packs, five bits each."""
    letters = (code >> 10 & 0x1F, code >> 5 & 0x1F, code & 0x1F)
    return "".join(chr(64 + letter) for letter in letters) if all(1 <= it <= 26 for it in letters) else f"{code:04X}"


def manufacturer_code(letters: str) -> int:
    """Pack three letters.

    Raises: ValueError for anything else.
    """
    if len(letters) != 3 or not letters.isascii() or not letters.isalpha() or not letters.isupper():
        raise ValueError(f"'{letters}' is not a manufacturer: three capital letters")
    first, second, third = (ord(letter) - 64 for letter in letters)
    return first << 10 | second << 5 | third

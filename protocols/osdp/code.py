"""What the codes of OSDP are called.

Source: SIA OSDP v2.2 as implemented in goToMain/libosdp and Z-bit-Systems-LLC/OSDP-Embedded; the
standard itself was not at hand.
"""

from collections.abc import Mapping
from typing import Final

POLL: Final = 0x60
ID: Final = 0x61
CAP: Final = 0x62
OUT: Final = 0x68
KEYSET: Final = 0x75
CHLNG: Final = 0x76
SCRYPT: Final = 0x77

ACK: Final = 0x40
NAK: Final = 0x41
PDID: Final = 0x45
PDCAP: Final = 0x46
RAW: Final = 0x50
CCRYPT: Final = 0x76
RMAC_I: Final = 0x78
BUSY: Final = 0x79

COMMANDS: Final[Mapping[int, str]] = {
    POLL: "POLL",
    ID: "ID",
    CAP: "CAP",
    0x64: "LSTAT",
    0x65: "ISTAT",
    0x66: "OSTAT",
    0x67: "RSTAT",
    OUT: "OUT",
    0x69: "LED",
    0x6A: "BUZ",
    0x6B: "TEXT",
    0x6E: "COMSET",
    0x73: "BIOREAD",
    0x74: "BIOMATCH",
    KEYSET: "KEYSET",
    CHLNG: "CHLNG",
    SCRYPT: "SCRYPT",
    0x7B: "ACURXSIZE",
    0x7C: "FILETRANSFER",
    0x80: "MFG",
    0xA1: "XWR",
    0xA2: "ABORT",
    0xA3: "PIVDATA",
    0xA4: "GENAUTH",
    0xA5: "CRAUTH",
    0xA7: "KEEPACTIVE",
}
REPLIES: Final[Mapping[int, str]] = {
    ACK: "ACK",
    NAK: "NAK",
    PDID: "PDID",
    PDCAP: "PDCAP",
    0x48: "LSTATR",
    0x49: "ISTATR",
    0x4A: "OSTATR",
    0x4B: "RSTATR",
    RAW: "RAW",
    0x51: "FMT",
    0x53: "KEYPAD",
    0x54: "COM",
    0x57: "BIOREADR",
    0x58: "BIOMATCHR",
    CCRYPT: "CCRYPT",
    RMAC_I: "RMAC_I",
    BUSY: "BUSY",
    0x7A: "FTSTAT",
    0x80: "PIVDATAR",
    0x81: "GENAUTHR",
    0x82: "CRAUTHR",
    0x83: "MFGSTATR",
    0x84: "MFGERRR",
    0x90: "MFGREP",
    0xB1: "XRD",
}
NAK_REASONS: Final[Mapping[int, str]] = {
    0: "no error",
    1: "the message check was wrong",
    2: "the command's length was wrong",
    3: "it does not know this command",
    4: "the sequence number was unexpected",
    5: "it does not support the security block",
    6: "the security conditions are not met: it wants a secure channel",
    7: "it does not support this kind of biometry",
    8: "it does not support this biometric format",
    9: "it cannot process this record",
}
CAPABILITIES: Final[Mapping[int, str]] = {
    1: "contactStatus",
    2: "outputs",
    3: "cardFormat",
    4: "leds",
    5: "buzzer",
    6: "text",
    7: "timeKeeping",
    8: "checkCharacter",
    9: "security",
    10: "receiveBuffer",
    11: "largestMessage",
    12: "smartCard",
    13: "readers",
    14: "biometrics",
    15: "securePin",
    16: "osdpVersion",
}


def name_of(code: int, *, is_reply: bool) -> str | None:
    """Name a command or a reply; None for one that is not known here."""
    return (REPLIES if is_reply else COMMANDS).get(code)

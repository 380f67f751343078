"""Bytes for people: offset, hex and letters, a line for each sixteen."""

_WIDTH = 16


def hexdump(data: bytes, most: int = 2048) -> str:
    """Write the first bytes of something, and how many there are in all where that is more."""
    lines = [_line(data[at : at + _WIDTH], at) for at in range(0, min(len(data), most), _WIDTH)]
    return "\n".join(lines) if len(data) <= most else "\n".join([*lines, f"{most:06x}  … {len(data)}"])


def _line(part: bytes, at: int) -> str:
    letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
    return f"{at:06x}  {part.hex(' '):<{3 * _WIDTH - 1}}  {letters}"

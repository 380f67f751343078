"""Checks that frames carry."""


def sum8(data: bytes) -> int:
    """Add bytes modulo 256, as DL/T 645 and CJ/T 188 do."""
    return sum(data) & 0xFF


def _crc16_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
        table.append(crc)
    return tuple(table)


_CRC16 = _crc16_table()


def crc16_modbus(data: bytes) -> int:
    """Compute the CRC of a Modbus RTU frame (polynomial A001 reflected, start FFFF)."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC16[(crc ^ byte) & 0xFF]
    return crc


def crc16_arc(data: bytes) -> int:
    """Compute the CRC of a P1 telegram (polynomial A001 reflected, start 0)."""
    crc = 0
    for byte in data:
        crc = crc >> 8 ^ _CRC16[(crc ^ byte) & 0xFF]
    return crc

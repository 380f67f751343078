"""Checks agree with published vectors."""

from protocols.checksum import crc16_modbus, sum8


def test_sum_is_taken_modulo_256() -> None:
    assert sum8(bytes.fromhex("68AAAAAAAAAAAA681300")) == 0xDF


def test_crc_agrees_with_the_check_value_of_the_catalogue_of_crcs() -> None:
    assert crc16_modbus(b"123456789") == 0x4B37


def test_crc_of_nothing_is_the_start_value() -> None:
    assert crc16_modbus(b"") == 0xFFFF

"""Bytes for people."""

from central_server.quarantine.hexdump import hexdump


def test_each_line_has_offset_hex_and_letters() -> None:
    assert hexdump(b"GHB3\0\xff 0123456789") == (
        "000000  47 48 42 33 00 ff 20 30 31 32 33 34 35 36 37 38  GHB3.. 012345678\n"
        "000010  39                                               9"
    )


def test_what_is_longer_than_shown_says_how_long_it_is() -> None:
    assert hexdump(bytes(100), 32).splitlines()[-1] == "000020  … 100"
    assert hexdump(b"") == ""

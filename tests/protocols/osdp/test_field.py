"""What the messages of OSDP say, and what they never say."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import ApplicationError, ProtocolError, Unsupported
from protocols.osdp.code import COMMANDS, NAK_REASONS, REPLIES
from protocols.osdp.field import decode_fields, decode_keys
from protocols.osdp.frame import Frame


def told(code: int, data: str, *, is_reply: bool = False) -> dict[str, Decimal | str]:
    return {it.name: it.value for it in decode_fields(Frame(1, code, bytes.fromhex(data), is_reply=is_reply))}


def test_a_card_is_its_bits_and_what_is_printed_on_it() -> None:
    card = told(0x50, "00 01 1a00 b4028800 ".replace("b4028800", "2d00a200"), is_reply=True)
    assert card == {
        "reader": Decimal(0),
        "format": "wiegand",
        "bits": Decimal(26),
        "number": "b40288",
        "facility": Decimal(90),
        "card": Decimal(324),
    }


def test_a_card_whose_parity_is_wrong_has_no_printed_number() -> None:
    card = told(0x50, "00 01 1a00 ad00a200", is_reply=True)
    assert "facility" not in card
    assert card["number"] == "2b40288"


def test_keys_are_named_as_on_the_keypad() -> None:
    assert told(0x53, "00 05 31 32 33 7f 0d", is_reply=True)["keys"] == "123*#"
    with pytest.raises(ProtocolError):
        decode_keys(b"\x1b")


def test_a_door_pulse_a_lamp_and_a_tone_are_told_in_words_and_seconds() -> None:
    assert told(0x68, "02 05 3200") == {"output2": "on-for-a-time", "output2Time": Decimal("5.0")}
    lamp = told(0x69, "00 00 02 02 01 02 00 1400 00 00 00 00 00")
    assert lamp["reader0Led0Temporary"] == "set"
    assert (lamp["reader0Led0TemporaryOnColour"], lamp["reader0Led0TemporaryTime"]) == ("green", Decimal("2.0"))
    assert lamp["reader0Led0Permanent"] == "nop"
    assert told(0x6A, "00 02 02 01 03")["reader0Count"] == 3


def test_a_display_text_cannot_write_over_a_terminal() -> None:
    assert told(0x6B, "00 01 00 01 01 05 48 1b 5b 32 4a")["text"] == "H\\x1b[2J"


def test_an_installed_key_is_never_shown() -> None:
    key = bytes(range(0x41, 0x51))
    shown = str(told(0x75, "01 10" + key.hex()))
    assert key.hex() not in shown
    assert "A" not in shown


@pytest.mark.parametrize("reason", NAK_REASONS)
def test_a_refusal_tells_its_reason(reason: int) -> None:
    with pytest.raises(ApplicationError, match=NAK_REASONS[reason]) as caught:
        told(0x41, f"{reason:02x}", is_reply=True)
    assert caught.value.code == reason


def test_a_message_nobody_here_knows_and_a_part_of_one_are_not_guessed_at() -> None:
    with pytest.raises(Unsupported, match="A4"):
        told(0xA4, "0011")
    with pytest.raises(Unsupported, match="part"):
        decode_fields(Frame(1, 0x60, control=0x84))


@given(
    st.sampled_from([(code, False) for code in COMMANDS] + [(code, True) for code in REPLIES]), st.binary(max_size=40)
)
def test_any_data_become_fields_or_a_protocol_error(kind: tuple[int, bool], data: bytes) -> None:
    try:
        fields = decode_fields(Frame(1, kind[0], data, is_reply=kind[1]))
    except ProtocolError:
        return
    assert all(field.name and str(field.value).isprintable() for field in fields)

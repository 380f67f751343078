"""M-Bus frames explained."""

from protocols.decode.value import Explained, Json, Keys, Refused, told_value
from protocols.errors import ProtocolError
from protocols.mbus import frame as link
from protocols.mbus.address import decode_secondary, manufacturer_letters
from protocols.mbus.frame import Frame
from protocols.mbus.header import Header, medium_word, status_words
from protocols.mbus.record import FUNCTIONS, Record
from protocols.mbus.telegram import decode_telegram


def explain(frame: Frame, _: object, keys: Keys) -> Explained:
    """Explain one frame; a telegram that ends in a damaged record says so as ``partial``.

    Raises: Refused.
    """
    header: Json = {
        "kind": frame.kind,
        "control": None if frame.control is None else f"{frame.control:02X}",
        "address": frame.address,
        "ci": None if frame.ci is None else f"{frame.ci:02X}",
        "is_response": frame.is_response,
    }
    if frame.ci == link.CI_SELECT and not frame.is_response:
        try:
            return {**header, "selects": decode_secondary(frame.data[:8]).text}, []
        except ProtocolError as error:
            raise Refused(header, error) from None
    if not frame.is_user_data:
        return header, []
    try:
        telegram = decode_telegram(frame, keys.key)
    except ProtocolError as error:
        raise Refused(header, error) from None
    header |= {} if telegram.header is None else _who(telegram.header)
    header["has_more"] = telegram.has_more
    header["makers_data"] = telegram.makers_data.hex()
    cut = telegram.error
    header["partial"] = None if cut is None else f"{cut.kind}: {cut.detail}"
    return header, [_told(record) for record in telegram.records]


def _who(header: Header) -> Json:
    who: Json = {"access": header.access, "status": status_words(header.status)}
    if header.own is None:
        return who
    own = header.own
    return {
        "identification": own.identification,
        "manufacturer": manufacturer_letters(own.manufacturer),
        "version": own.version,
        "medium": medium_word(own.medium),
        "secondary_address": own.text,
        **who,
    }


def _told(record: Record) -> Json:
    """Tell a record; a function, storage, tariff or subunit that is not told is the current one, 0."""
    return told_value(
        record.quantity_word,
        record.quantity,
        record.raw,
        text=record.text,
        function=None if record.function == FUNCTIONS[0] else record.function,
        storage=record.storage or None,
        tariff=record.tariff or None,
        subunit=record.subunit or None,
        qualifiers=", ".join(record.qualifiers) or None,
    )

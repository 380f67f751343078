"""IEC 62056-21 messages and P1 telegrams explained."""

from protocols.decode.value import Explained, Json, Keys, Refused, told_value
from protocols.errors import ProtocolError
from protocols.iec62056 import Message, decode_readings
from protocols.obis import Reading, parse_lines, readings
from protocols.p1 import Telegram


def explain(message: Message, _: object, keys: Keys) -> Explained:
    """Explain one message of mode C, or a telegram between them.

    Raises: Refused.
    """
    header: Json = {
        "kind": message.kind,
        "is_response": message.is_response,
        "has_check": message.has_check,
        "manufacturer": message.manufacturer or None,
        "baudrate": message.baudrate if message.baud else None,
        "command": message.command or None,
    }
    if message.kind in ("request", "identification", "selection"):
        header["text"] = message.text
    if message.kind not in ("data", "telegram", "refusal"):
        return header, []
    try:
        return header, list(map(_told, decode_readings(message)))
    except ProtocolError as error:
        raise Refused(header, error) from None


def explain_telegram(telegram: Telegram, _: object, keys: Keys) -> Explained:
    """Explain one P1 telegram.

    Raises: Refused.
    """
    header: Json = {
        "kind": "telegram",
        "is_response": True,
        "has_check": telegram.has_check,
        "manufacturer": telegram.manufacturer,
        "text": telegram.identification,
    }
    try:
        return header, list(map(_told, readings(parse_lines(telegram.body))))
    except ProtocolError as error:
        raise Refused(header, error) from None


def _told(reading: Reading) -> Json:
    return told_value(
        reading.name,
        reading.quantity,
        reading.raw,
        text=reading.text,
        register=reading.obis,
        tariff=reading.tariff,
        storage=reading.storage,
        channel=reading.channel or None,
        at=reading.at,
    )

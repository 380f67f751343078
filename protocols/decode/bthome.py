"""BTHome explained, and with the sensor's key and address what it has encrypted.

The bytes are service data as it stands behind its UUID (``--uuid``: fcd2 for version 2, 181c and 181e for
version 1; without it fcd2, or the one they begin with), or a whole advertisement in AD structures.
"""

from protocols.ble.advertisement import Advertisement, mac_text, short_uuid
from protocols.ble.bthome import SERVICES, V1_CLEAR, V1_SEALED, V2, admit, decode, open_envelope
from protocols.ble.bthome_frame import BthomeFrame, Event, Measurement
from protocols.ble.bthome_object import OBJECTS, Kind
from protocols.decode.broadcast import advertisement_in, check_no_advertisement, told_broadcast
from protocols.decode.value import Explained, Json, Keys, Refused, told_value
from protocols.errors import ProtocolError
from protocols.quantity import Quality, Quantity

# No frame of version 2 begins so, which is what bytes without --uuid are taken for.
_UUID_IN_FRONT = {bytes.fromhex(uuid)[::-1]: uuid for uuid in SERVICES}


def explain_capture(data: bytes, keys: Keys) -> Json:
    """Explain one frame; who gives a key has a sensor that encrypts, and a frame in clear is refused.

    Shape: as ``decode_capture`` gives it.
    """
    return told_broadcast("bthome", data, lambda: _explain(data, keys))


def _explain(data: bytes, keys: Keys) -> Explained:
    header: Json = {}
    heard = advertisement_in(data, lambda found: _service(found) is not None)
    if heard is not None and (service := _service(heard)) is not None:
        uuid, frame = service, heard.service_data[service]
        header = {"local_name": heard.local_name}
    else:
        uuid, frame = _bare(data, keys.uuid)
    try:
        envelope = open_envelope(uuid, frame)
        header = {
            "uuid": uuid,
            "version": envelope.version,
            "is_encrypted": envelope.is_encrypted,
            "is_trigger": envelope.is_trigger,
            "mac": None if envelope.mac is None else mac_text(envelope.mac),
            "counter": envelope.counter,
            **header,
        }
        told = decode(uuid, frame, mac=keys.mac, key=keys.key)
        admit(None, told, has_key=keys.key is not None)
    except ProtocolError as error:
        raise Refused(header, error) from None
    return header | _more(told), [*map(_value, told.values), *map(_event, told.events)]


def _service(heard: Advertisement) -> str | None:
    return next((uuid for uuid in heard.service_data if uuid in SERVICES), None)


def _bare(data: bytes, uuid: str | None) -> tuple[str, bytes]:
    if uuid is not None and short_uuid(uuid) in (V1_CLEAR, V1_SEALED):
        return short_uuid(uuid), data
    check_no_advertisement(data, "BTHome")
    if data[:2] in _UUID_IN_FRONT:
        return _UUID_IN_FRONT[data[:2]], data[2:]
    return V2 if uuid is None else short_uuid(uuid), data


def _more(frame: BthomeFrame) -> Json:
    content = frame.content
    return {
        "packet_id": content.packet_id,
        "device_type": None if content.device_type is None else f"{content.device_type:04X}",
        "firmware": content.firmware,
        "partial": None if content.partial is None else f"{content.partial.kind}: {content.partial.detail}",
    }


def _value(value: Measurement) -> Json:
    kind = OBJECTS[value.object_id].kind
    return told_value(
        value.label,
        value.quantity,
        value.raw,
        text=value.text,
        state=value.text if kind is Kind.STATE else None,
        at=value.text if kind is Kind.TIME else None,
    )


def _event(event: Event) -> Json:
    quality = Quality.INVALID if event.action is None else Quality.GOOD
    return told_value(
        event.label,
        Quantity(None, "", quality),
        event.raw,
        text=event.action,
        steps=None if event.steps is None else str(event.steps),
        arguments=event.arguments.hex() or None,
    )

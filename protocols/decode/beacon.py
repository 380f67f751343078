"""Beacons explained.

The bytes are an iBeacon's manufacturer data (4C00 0215 ..., the company's number may be missing), an
Eddystone's service data (its frame type first, AAFE may stand before it), or a whole advertisement in
AD structures.
"""

from decimal import Decimal

from protocols.ble.advertisement import Advertisement
from protocols.ble.beacon import (
    APPLE,
    EDDYSTONE,
    IBEACON_HEAD,
    Beacon,
    EddystoneEid,
    EddystoneSealedTlm,
    EddystoneTlm,
    EddystoneUid,
    EddystoneUrl,
    IBeacon,
    beacon,
    decode_eddystone,
    decode_ibeacon,
)
from protocols.decode.broadcast import advertisement_in, check_no_advertisement, told_broadcast
from protocols.decode.value import Explained, Json, Keys, told_value
from protocols.errors import Unsupported
from protocols.quantity import Quantity

_COMPANY = APPLE.to_bytes(2, "little")
_SERVICE = bytes.fromhex(EDDYSTONE)[::-1]


def explain_capture(data: bytes, _: Keys) -> Json:
    """Explain one frame; a beacon's identity proves nothing, whoever hears it can send it.

    Shape: as ``decode_capture`` gives it.
    """
    return told_broadcast("beacon", data, lambda: _explain(data))


def _explain(data: bytes) -> Explained:
    heard = advertisement_in(data, _is_beacon)
    if heard is None:
        return _told(_bare(data))
    found = beacon(heard)
    if found is None:
        raise Unsupported("an advertisement without a beacon")
    header, values = _told(found)
    return {**header, "local_name": heard.local_name}, values


def _is_beacon(heard: Advertisement) -> bool:
    return EDDYSTONE in heard.service_data or heard.manufacturer_data.get(APPLE, b"").startswith(IBEACON_HEAD)


def _bare(data: bytes) -> Beacon:
    if data.startswith(_COMPANY):
        return decode_ibeacon(data[len(_COMPANY) :])
    if data.startswith(IBEACON_HEAD):
        return decode_ibeacon(data)
    check_no_advertisement(data, "a beacon")
    return decode_eddystone(data.removeprefix(_SERVICE))


def _told(found: Beacon) -> Explained:
    match found:
        case IBeacon():
            header: Json = {"kind": "ibeacon", "uuid": found.uuid, "major": found.major, "minor": found.minor}
            return {**header, "tx_power": found.tx_power}, []
        case EddystoneUid():
            header = {"kind": "eddystone-uid", "namespace": found.namespace, "instance": found.instance}
            return {**header, "tx_power": found.tx_power}, []
        case EddystoneUrl():
            return {"kind": "eddystone-url", "url": found.url, "tx_power": found.tx_power}, []
        case EddystoneEid():
            return {"kind": "eddystone-eid", "eid": found.identifier, "tx_power": found.tx_power}, []
        case EddystoneSealedTlm():
            header = {"kind": "eddystone-etlm", "is_encrypted": True, "sealed": found.sealed.hex()}
            return {**header, "salt": found.salt.hex(), "mic": found.mic.hex()}, []
        case EddystoneTlm():
            return {"kind": "eddystone-tlm", "version": 0}, [
                told_value("battery", found.battery, b"\0\0"),
                told_value("temperature", found.temperature, b"\x80\0"),
                told_value("adverts", Quantity(Decimal(found.adverts), ""), b""),
                told_value("uptime", found.uptime, b""),
            ]

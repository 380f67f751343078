"""What a broker is set up with, and how the centre itself comes to it: all of it from the centre's authority."""

import datetime as dt
import ssl
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from central_server.private_file import write_private
from central_server.sync.authority import Authority
from protocols.access import MAX_RULES_BYTES
from protocols.mqtt import ANSWERS, CENTRE, KINDS, MAX_REQUEST_BYTES, topic_of

BROKER_DAYS, PORT_TLS = 365, 8883
CONF, ACL, CA, CERTIFICATE, KEY = "mosquitto.conf", "gatehouse.acl", "ca.pem", "broker.pem", "broker.key"
_ROOM = 64 * 1024


class Written(NamedTuple):
    """What ``set_up_broker`` has written, and until when the broker's certificate lasts."""

    folder: Path
    not_after: dt.datetime


def set_up_broker(
    folder: Path, authority: Authority, names: Sequence[str], port: int, now: dt.datetime, own: Path | None = None
) -> Written:
    """Write a broker's settings, rights and certificate into a folder; again for the next certificate.

    Shape: ``own`` is where the broker finds the folder, if that is on another machine.

    Raises: OSError.
    """
    key_pem, issued = authority.for_server(names, now, BROKER_DAYS)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CA).write_text(authority.pem)
    (folder / ACL).write_text(acl())
    (folder / CONF).write_text(conf(own or folder.resolve(), port))
    write_private(folder / KEY, lambda: key_pem)
    (folder / CERTIFICATE).write_text(issued.pem)
    return Written(folder, issued.not_after)


def acl() -> str:
    """Give who may write and read what: a gateway its own topics, by the name in its certificate, and no other."""
    lines = ["# The centre takes every gateway's requests, and answers each.", f"user {CENTRE}"]
    lines += [f"topic read {topic_of('+', kind)}" for kind in KINDS.values()]
    lines += [
        f"topic write {topic_of('+', ANSWERS)}",
        "",
        "# A gateway writes under its own name and reads its own answers.",
    ]
    lines += [f"pattern write {topic_of('%u', kind)}" for kind in KINDS.values()]
    lines += [f"pattern read {topic_of('%u', ANSWERS)}"]
    return "\n".join(lines) + "\n"


def conf(folder: Path, port: int) -> str:
    """Give mosquitto's settings: TLS 1.2 at least, nobody without a certificate of this house."""
    return f"""# Written by 'central mqtt broker'. Run that once a year for the next certificate, then reload mosquitto.
per_listener_settings false
allow_anonymous false
acl_file {folder / ACL}

listener {port}
cafile {folder / CA}
certfile {folder / CERTIFICATE}
keyfile {folder / KEY}
tls_version tlsv1.2
require_certificate true
use_identity_as_username true

# A request and its answer are small and waited for.
set_tcp_nodelay true

# Rules are the largest answer, batches the largest request.
max_packet_size {max(MAX_RULES_BYTES, MAX_REQUEST_BYTES) + _ROOM}
# Messages expire with the wait for their answer; gateways keep what was not acknowledged.
max_queued_messages 1000
max_queued_bytes 268435456
retain_available false
persistence true
persistence_location /var/lib/mosquitto/
log_dest stderr
"""


def broker_tls(url: str, authority: Authority) -> ssl.SSLContext | None:
    """Make the TLS of a new connection, None for a broker of this machine."""
    return centre_context(authority, dt.datetime.now(dt.UTC)) if url.startswith("mqtts:") else None


def centre_context(authority: Authority, now: dt.datetime) -> ssl.SSLContext:
    """Make the TLS with which the centre comes to a broker, with a fresh key; it believes this house only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=authority.pem)
    pem = authority.for_client(CENTRE, now)
    with tempfile.TemporaryDirectory() as folder:  # 0700; the library takes a key from a file only
        pair = Path(folder, "centre.pem")
        write_private(pair, lambda: pem)
        context.load_cert_chain(pair)
    return context

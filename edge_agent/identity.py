"""Who this gateway is: its keys, its certificate and the centre it was enrolled with.

    identity/tls.pem        key and certificate in one file, so that both change at once
    identity/authority.pem  the centre's own certificate; nothing else is believed
    identity/sign.key       the Ed25519 key with which batches are signed, as hex
    identity/pending.pem    key and request of an enrolment whose answer has not come yet

No key ever leaves the gateway. All files are 0600.
"""

import datetime as dt
import os
import ssl
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from edge_agent.credential import UplinkError
from edge_agent.durable_file import private_folder, write_durably
from protocols.enrolment import NAME

FOLDER = "identity"
_TLS, _AUTHORITY, _SIGN, _PENDING = "tls.pem", "authority.pem", "sign.key", "pending.pem"
# X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which Python does not name.
_ANY_TIME = 0x200000
_REQUEST_MARK = b"-----BEGIN CERTIFICATE REQUEST-----"


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and what it says. Units: instants aware UTC."""

    folder: Path
    edge_id: str
    serial: str
    not_before: dt.datetime
    not_after: dt.datetime

    def is_due(self, now: dt.datetime) -> bool:
        """Tell whether two thirds of the certificate's life are over."""
        return now >= self.not_before + (self.not_after - self.not_before) * 2 / 3

    def is_over(self, now: dt.datetime) -> bool:
        return now >= self.not_after

    def tls(self, now: dt.datetime) -> ssl.SSLContext:
        """Make the TLS of the uplink: 1.2 at least, our certificate, and the one centre that we know.

        A gateway without a clock of its own starts in 1970 and learns the time from the centre, so
        a clock that shows a time before our own certificate was made does not judge the centre's.

        Raises: UplinkError.
        """
        try:
            context = trusting((self.folder / _AUTHORITY).read_text(), is_any_time=now < self.not_before)
            context.load_cert_chain(self.folder / _TLS)
        except (OSError, ValueError) as error:
            raise _broken(self.folder, str(error)) from None
        return context


def trusting(authority_pem: str, *, is_any_time: bool) -> ssl.SSLContext:
    """Make the TLS that believes one centre and nobody else.

    Raises: OSError (ssl.SSLError) for what is no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if is_any_time:
        context.verify_flags |= ssl.VerifyFlags(_ANY_TIME)
    context.load_verify_locations(cadata=authority_pem)
    return context


def tls_file(data: Path) -> Path:
    """Name the file that changes with the certificate."""
    return data / FOLDER / _TLS


def load_identity(data: Path, edge_id: str) -> Identity | None:
    """Read who the gateway is; None where it was never enrolled.

    Raises: UplinkError for files that are broken, open to others or another gateway's.
    """
    path = tls_file(data)
    folder = path.parent
    try:
        mode = path.stat().st_mode
        if stat.S_IMODE(mode) & 0o077:
            raise UplinkError(
                f"{path}: others can read the key (mode {stat.S_IMODE(mode):04o}). Close it with: chmod 600 {path}"
            )
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except FileNotFoundError:
        return None
    except (OSError, ValueError, x509.ExtensionNotFound) as error:
        raise _broken(folder, str(error)) from None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if f"{NAME}{edge_id}" not in uris:
        raise UplinkError(
            f"{path}: this is the certificate of {', '.join(uris) or 'nobody'}, not of '{edge_id}'. Correct [edge] id, "
            f"or enrol this gateway: edge enroll URL CODE"
        )
    serial = f"{certificate.serial_number:x}"
    return Identity(folder, edge_id, serial, certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def pending_request(data: Path, edge_id: str) -> str:
    """Give the request for a certificate, the same one until a certificate has come for it.

    Raises: UplinkError.
    """
    path = data / FOLDER / _PENDING
    try:
        if not path.exists():
            private_folder(path.parent)
            key_pem, request_pem = make_request(edge_id)
            write_durably(path, key_pem + request_pem)
        content = path.read_bytes()
    except OSError as error:
        raise _broken(path.parent, error.strerror or str(error)) from None
    return content[content.index(_REQUEST_MARK) :].decode()


def keep_certificate(data: Path, certificate_pem: str, authority_pem: str | None) -> None:
    """Put a certificate beside the pending key, and both in force in one step.

    Raises: UplinkError for a certificate that is not one of that key.
    """
    folder = data / FOLDER
    pending = folder / _PENDING
    try:
        content = pending.read_bytes()
        key_pem = content[: content.index(_REQUEST_MARK)]
        key = serialization.load_pem_private_key(key_pem, None)
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
        if certificate.public_key() != key.public_key():
            raise UplinkError("The centre's certificate is not one of this gateway's key. Ask for a new code.")
        if authority_pem is not None:
            write_durably(folder / _AUTHORITY, authority_pem.encode())
        write_durably(folder / _TLS, key_pem + certificate_pem.encode())
        pending.unlink()
    except (OSError, ValueError, TypeError) as error:
        raise _broken(folder, str(error)) from None


class Signer(NamedTuple):
    """The key with which a gateway signs its batches; ``public`` is its public half as hex."""

    public: str
    sign: Callable[[bytes], bytes]


def load_signer(data: Path) -> Signer:
    """Read the key with which batches are signed; make it at the first need.

    Raises: UplinkError.
    """
    path = data / FOLDER / _SIGN
    try:
        if not path.exists():
            private_folder(path.parent)
            write_durably(path, os.urandom(32).hex().encode() + b"\n")
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text().strip()))
    except (OSError, ValueError) as error:
        raise _broken(path.parent, str(error)) from None
    return Signer(key.public_key().public_bytes_raw().hex(), key.sign)


def make_request(edge_id: str) -> tuple[bytes, bytes]:
    """Make a key and the request for its certificate, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, edge_id)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return key_pem, request.public_bytes(serialization.Encoding.PEM)


def _broken(folder: Path, reason: str) -> UplinkError:
    return UplinkError(
        f"{folder}: the gateway's certificate cannot be used ({reason}). Enrol it anew: 'central edge invite' there, "
        f"then 'edge enroll URL CODE' here."
    )

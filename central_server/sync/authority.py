"""The centre's own certificate authority: who is a gateway of this house, and that this is its centre.

One key and one certificate, made once, beside the database; everything it signs is short-lived and
renewed by itself. ECDSA P-256 throughout, which every TLS 1.2 peer has.
"""

import datetime as dt
import ipaddress
import ssl
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from central_server.errors import BadRequest, UsageError
from central_server.private_file import write_private
from protocols.enrolment import NAME

CENTRE_NAME = "urn:gatehouse:centre:"
_YEARS = 20
SERVER_DAYS = 90
GATEWAY_DAYS = 90
# Clocks in basements are wrong by minutes before they are set.
_EARLY = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that was signed. Units: ``not_after`` aware UTC."""

    pem: str
    serial: str
    not_after: dt.datetime


class Authority:
    """Signs certificates of gateways and of the server's own door."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self._certificate = certificate

    @property
    def der(self) -> bytes:
        return self._certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> str:
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def for_gateway(self, request_pem: str, edge_id: str, now: dt.datetime, days: int = GATEWAY_DAYS) -> Issued:
        """Certify a gateway's key; of its request only the key is taken, the name is ours.

        Raises: BadRequest for what is no request, is not signed by its own key, or has another kind of key.
        """
        try:
            request = x509.load_pem_x509_csr(request_pem.encode())
            key = request.public_key()
            is_right = request.is_signature_valid
        except Exception:  # noqa: BLE001 - the library's parser may raise anything on a stranger's bytes
            raise BadRequest("enrol_request", "The certificate request cannot be read.") from None
        if not is_right or not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise BadRequest("enrol_request", "The certificate request is not one of a P-256 key, signed by itself.")
        uri = x509.UniformResourceIdentifier(f"{NAME}{edge_id}")
        return self._issue(key, edge_id, [uri], ExtendedKeyUsageOID.CLIENT_AUTH, now, days)

    def for_server(self, names: Sequence[str], now: dt.datetime, days: int = SERVER_DAYS) -> tuple[str, Issued]:
        """Make a key and a certificate for a door of gateways, for every name under which they find it."""
        key = ec.generate_private_key(ec.SECP256R1())
        found = [_general_name(name) for name in names]
        issued = self._issue(key.public_key(), names[0], found, ExtendedKeyUsageOID.SERVER_AUTH, now, days)
        return _key_pem(key), issued

    def for_client(self, name: str, now: dt.datetime) -> str:
        """Make a key and a certificate with which the centre itself comes to a broker, as one PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        uri = x509.UniformResourceIdentifier(f"{CENTRE_NAME}{name}")
        issued = self._issue(key.public_key(), name, [uri], ExtendedKeyUsageOID.CLIENT_AUTH, now, SERVER_DAYS)
        return _key_pem(key) + issued.pem

    def _issue(
        self,
        key: ec.EllipticCurvePublicKey,
        name: str,
        names: Sequence[x509.GeneralName],
        usage: x509.ObjectIdentifier,
        now: dt.datetime,
        days: int,
    ) -> Issued:
        not_after = min(now + dt.timedelta(days=days), self._certificate.not_valid_after_utc)
        serial = x509.random_serial_number()
        certificate = (
            _builder(name, self._certificate.subject, key, serial, now - _EARLY, not_after)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
        return Issued(pem, f"{serial:x}", not_after)


def make_authority(now: dt.datetime) -> tuple[str, str]:
    """Make an authority: its key and its certificate, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name("Gatehouse")
    end = now + dt.timedelta(days=365 * _YEARS)
    certificate = (
        _builder("Gatehouse", subject, key.public_key(), x509.random_serial_number(), now - _EARLY, end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    return _key_pem(key), certificate.public_bytes(serialization.Encoding.PEM).decode()


def load_authority(folder: Path, now: dt.datetime) -> Authority:
    """Read the authority from its folder; make it where there is none.

    Raises: UsageError for files that are open to others, broken, or half there.
    """
    key_file, certificate_file = folder / "authority.key", folder / "authority.pem"
    try:
        if not key_file.exists() and not certificate_file.exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            key_pem, certificate_pem = make_authority(now)
            # The certificate first: one without a key is a broken folder, a key without one could be made anew over it.
            write_private(certificate_file, lambda: certificate_pem)
            write_private(key_file, lambda: key_pem)
        if stat.S_IMODE(key_file.stat().st_mode) & 0o077:
            text = "The authority's key {file} can be read by others. Run: chmod 600 {file}"
            raise UsageError("authority_open", text, file=str(key_file))
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        text = "The authority in {folder} cannot be used: {reason}. Restore authority.key and authority.pem from the backup."
        raise UsageError("authority_broken", text, folder=str(folder), reason=str(error)) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        text = "authority.key in {folder} is not the key of authority.pem. Restore both from one backup."
        raise UsageError("authority_mixed", text, folder=str(folder))
    return Authority(key, certificate)


def server_context(authority: Authority, names: Sequence[str], folder: Path, now: dt.datetime) -> ssl.SSLContext:
    """Make the TLS of the gateways' door with a fresh key: 1.2 at least, certificates of this house only.

    A gateway that enrols has none yet, so none is demanded here: every other route demands it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=authority.pem)
    renew_server(context, authority, names, folder, now)
    return context


def renew_server(
    context: ssl.SSLContext, authority: Authority, names: Sequence[str], folder: Path, now: dt.datetime
) -> None:
    """Give a door's TLS a fresh key and certificate; connections that are open keep theirs."""
    key_pem, issued = authority.for_server(names, now)
    pair = folder / "server.pem"
    write_private(pair, lambda: key_pem + issued.pem + authority.pem)
    context.load_cert_chain(pair)
    pair.unlink()  # the context has it; the key is nobody's outside this process


def _builder(
    name: str,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    serial: int,
    start: dt.datetime,
    end: dt.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()

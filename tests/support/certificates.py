"""Certificates for tests: a root authority, and server certificates that it has signed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Files:
    """A server's certificate chain and key, and the root that signed it, as PEM files."""

    chain: Path
    key: Path
    root: Path


@cache
def _root() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test root")])
    builder = _builder(name, name, key.public_key(), timedelta(days=400)).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    builder = builder.add_extension(
        x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        ),
        critical=True,
    )
    return builder.sign(key, hashes.SHA256()), key


def issue(
    folder: Path,
    *,
    valid_for: timedelta = timedelta(days=90),
    age: timedelta = timedelta(days=1),
    key_identifiers: bool = True,
) -> Files:
    """Write a certificate for localhost and 127.0.0.1 that was issued `age` ago and expires in `valid_for`.

    Python 3.13 refuses one without key identifiers, as private authorities issue them.
    """
    root, root_key = _root()
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    alternatives = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    builder = _builder(name, root.subject, key.public_key(), valid_for, age).add_extension(alternatives, critical=False)
    if key_identifiers:
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
        builder = builder.add_extension(issuer_key, critical=False)
    files = Files(folder / "chain.pem", folder / "key.pem", folder / "root.pem")
    pem = serialization.Encoding.PEM
    files.chain.write_bytes(builder.sign(root_key, hashes.SHA256()).public_bytes(pem))
    files.root.write_bytes(root.public_bytes(pem))
    unencrypted = serialization.NoEncryption()
    files.key.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, unencrypted))
    return files


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    valid_for: timedelta,
    age: timedelta = timedelta(days=1),
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - age)
        .not_valid_after(now + valid_for)
    )

"""Encryption of sessions at rest: only the holder of the credential can read them."""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class SessionCipher:
    """Encrypts bytes with a key derived from a secret; another `context` makes another key of the same secret."""

    def __init__(self, secret: str, context: str) -> None:
        derived = HKDF(SHA256(), length=32, salt=context.encode(), info=b"tableau_rest session")
        self._fernet = Fernet(base64.urlsafe_b64encode(derived.derive(secret.encode())))

    def encrypt(self, value: bytes) -> bytes:
        """Return the bytes encrypted and authenticated."""
        return self._fernet.encrypt(value)

    def decrypt(self, value: bytes) -> bytes | None:
        """Return the original bytes; None if they are damaged or were encrypted with another secret."""
        try:
            return self._fernet.decrypt(value)
        except InvalidToken:
            return None

"""Encrypts what leaves this process: a session at rest can be read only by who holds the credential."""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class SessionCipher:
    """Locks and unlocks bytes with a key derived from a secret; `context` makes equal secrets yield unequal keys."""

    def __init__(self, secret: str, context: str) -> None:
        derived = HKDF(SHA256(), length=32, salt=context.encode(), info=b"tableau_rest session")
        self._fernet = Fernet(base64.urlsafe_b64encode(derived.derive(secret.encode())))

    def encrypt(self, value: bytes) -> bytes:
        return self._fernet.encrypt(value)

    def decrypt(self, value: bytes) -> bytes | None:
        """The bytes again; None where they were locked with another secret, or damaged."""
        try:
            return self._fernet.decrypt(value)
        except InvalidToken:
            return None

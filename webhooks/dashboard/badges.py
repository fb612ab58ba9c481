"""Badges about content for dashboards: small images whose addresses are signed, so that they need no sign-in."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webhooks.services import Services

# The key in the inbox's state of the secret that signs addresses: all processes share it, and it survives a restart.
KEY = "badge key"
SIGNATURE_LENGTH = 24


def badge_path(services: Services, luid: str) -> str:
    """Return the path of the badge of content."""
    return f"/badge/{luid}-{_signature(services, luid)}.svg"


def signed_luid(services: Services, text: str) -> str | None:
    """Return the content that a signed part of a path names; None if the signature is wrong."""
    luid, _, signature = text.rpartition("-")
    expected = _signature(services, luid)
    return luid if luid and hmac.compare_digest(signature.encode(), expected.encode()) else None


def _signature(services: Services, luid: str) -> str:
    state = services.inbox.state
    key = state.get(KEY)
    if key is None:
        state.set(KEY, secrets.token_hex(32))
        key = state.get(KEY)
    return hmac.new(str(key).encode(), luid.encode(), hashlib.sha256).hexdigest()[:SIGNATURE_LENGTH]

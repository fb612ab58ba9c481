"""A sign-in at the identity provider that has begun and not ended; the browser remembers it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from typing import Self

# Seconds that a person has to sign in at the provider, and that clocks may differ.
ATTEMPT_SECONDS = 600.0
LEEWAY_SECONDS = 60


class SignInFailed(Exception):
    """The provider's answer does not sign anyone in; the text says why."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A sign-in that began in a browser, which keeps `text` in a cookie; everything else is computed from it."""

    text: str

    @classmethod
    def begin(cls, there: str, now: float) -> Self:
        """Return a new attempt that leads to the path `there`."""
        values = [round(now), secrets.token_urlsafe(32), there]
        return cls(base64.urlsafe_b64encode(json.dumps(values).encode()).decode())

    def derived(self, purpose: str) -> str:
        """Return a secret of this attempt for one purpose: state, nonce or verifier."""
        digest = hmac.new(self.text.encode(), purpose.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def path(self, state: str, now: float) -> str:
        """Return where the attempt leads to. Raises SignInFailed if it is another one, or too old."""
        if not self.text or not hmac.compare_digest(self.derived("state").encode(), state.encode("utf-8", "replace")):
            raise SignInFailed("The answer belongs to no sign-in that began in this browser (state). Sign in again.")
        try:
            began, _, there = json.loads(base64.urlsafe_b64decode(self.text))
            age = now - float(began)
        except (ValueError, TypeError, OverflowError, RecursionError):
            raise SignInFailed("The cookie of this sign-in is not one of this server. Sign in again.") from None
        if not -LEEWAY_SECONDS <= age <= ATTEMPT_SECONDS:
            raise SignInFailed("The sign-in took more than ten minutes. Sign in again.")
        return str(there)

"""Mask secrets by their value in everything that is logged, stored or sent. Pure."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "***"
# Shorter texts are not secret, and masking them would hide half of the log.
MIN_LENGTH = 4
# A value with a secret this long is not stored for a handler; a shorter one, such as a password, may be a common word.
MIN_REFUSED = 8
# Characters of a secret that are masked if they are the end of a text that was cut, and of its base64.
MIN_PART = 8
PERCENT = re.compile("%[0-9A-F]{2}")


class Redactor:
    """Replaces known secrets, also as parts of URLs, JSON, HTML and base64. Thread-safe."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {secret for secret in secrets if len(secret) >= MIN_LENGTH}
        # Longest first: one secret may be part of another.
        self._forms = sorted({form for secret in known for form in _forms(secret)}, key=len, reverse=True)
        longest_first = sorted(known, key=len, reverse=True)
        self._beginnings = [(secret[:MIN_PART], secret) for secret in longest_first if len(secret) > MIN_PART]
        # Secret addresses are known with and without their scheme; a password may look like the latter.
        addresses = {secret for secret in known if secret.startswith(("http://", "https://"))}
        self._addresses = addresses | {address.partition("://")[2] for address in addresses}
        self._refused = [form for secret in known if len(secret) >= MIN_REFUSED for form in _forms(secret)]
        self._longest = max(map(len, known), default=0)

    def __call__(self, text: str) -> str:
        """Return the text without secrets, and without the beginning of one at its end."""
        # Searched one after the other: for hundreds of secrets this takes a fraction of the time of one pattern.
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        tail = text[-self._longest :].rstrip("…") if self._longest else ""
        for beginning, secret in self._beginnings:
            position = tail.rfind(beginning)
            if position >= 0 and secret.startswith(tail[position:]) and not self._is_host(tail[position:], secret):
                return text[: len(text) - len(text[-self._longest :]) + position] + MASK
        return text

    def finds_in(self, value: Any) -> bool:
        """Return whether a string of a JSON value contains a secret of at least `MIN_REFUSED` characters."""
        if isinstance(value, str):
            return any(form in value for form in self._refused)
        if isinstance(value, Mapping):
            return any(self.finds_in(key) or self.finds_in(item) for key, item in value.items())
        return isinstance(value, list | tuple) and any(map(self.finds_in, value))

    def in_value(self, value: Any) -> Any:
        """Return a JSON value without secrets in its strings."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {self.in_value(key): self.in_value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.in_value(item) for item in value]
        return value

    def _is_host(self, part: str, secret: str) -> bool:
        """Return whether a beginning of a secret is only the host of an address: log lines often end with a host."""
        if secret not in self._addresses:
            return False
        start = secret.find("://") + 3 if "://" in secret else 0
        end = secret.find("/", start) + 1
        return len(part) <= end and "@" not in secret[:end]


def _forms(secret: str) -> set[str]:
    quoted = {quote(secret), quote(secret, safe=""), quote_plus(secret)}
    lower = {PERCENT.sub(lambda match: match[0].lower(), form) for form in quoted}
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], html.escape(secret)}
    return {secret, *quoted, *lower, *escaped, *_base64(secret.encode())}


def _base64(secret: bytes) -> set[str]:
    """Return the base64 of the secret, wherever it begins in the encoded bytes, without characters shared with them."""
    found = set()
    for offset in range(3):
        shared_at_end = {0: 0, 1: 3, 2: 2}[(offset + len(secret)) % 3]
        for encode in (b64encode, urlsafe_b64encode):
            encoded = encode(bytes(offset) + secret).decode()
            found.add(encoded[(0, 2, 3)[offset] : len(encoded) - shared_at_end])
    return {form for form in found if len(form) >= MIN_PART}

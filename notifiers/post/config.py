"""The variables of the notifier for signed POST requests."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from notifiers.config import variable
from notifiers.named import NamedConfig


@dataclass(frozen=True)
class PostConfig(NamedConfig):
    """The addresses of the programs, the secrets to sign with, and the private hosts that are allowed."""

    list_variable: ClassVar[str] = "POST_URLS"
    example_value: ClassVar[str] = "https://ops.example.org/hooks"

    urls: str = variable(
        "POST_URLS",
        "Programs that get messages as signed POST requests: `ops=https://ops.example.org/hooks`, separated by blanks "
        "or commas, for `post:ops`; the first one is `post`",
        secret=True,
        required=True,
    )
    secret: str = variable(
        "POST_SECRET",
        "Secret of the signatures (`whsec_…`, Standard Webhooks); two, separated by a blank, during rotation",
        secret=True,
        required=True,
    )
    allow: str = variable(
        "POST_ALLOW",
        "Host names and networks (`10.1.0.0/16`) of POST_URLS that may be private, or be reached by http; others must "
        "be public and use https",
    )

    def secrets(self) -> list[str]:
        """Return the addresses and their parts that look like tokens, and each secret."""
        keys = self.secret.split()
        return [*super().secrets(), *keys, *(key.removeprefix("whsec_") for key in keys)]

    @property
    def allowed(self) -> list[str]:
        """The entries of POST_ALLOW."""
        return [entry for entry in re.split(r"[\s,]+", self.allow) if entry]

"""The variables of the notifier for signed POST requests."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from notifiers.config import variable
from notifiers.named import NAME, NamedConfig

# Between two tokens; one may itself contain a comma, and end with =. It begins at the first space only, so that many of
# them take no longer than other text.
BETWEEN = re.compile(rf"(?<![\s,])[\s,]+(?={NAME.pattern}=)")


@dataclass(frozen=True)
class PostConfig(NamedConfig):
    """The addresses of the programs, the secrets to sign with, and the private hosts that are allowed."""

    list_variable: ClassVar[str] = "POST_URLS"
    example_value: ClassVar[str] = "https://ops.example.org/hooks"

    urls: str = variable(
        "POST_URLS",
        "Programs that get messages as signed POST requests: `ops=https://ops.example.org/hooks`, separated by spaces "
        "or commas, for `post:ops`; the first one is `post`",
        secret=True,
        required=True,
    )
    secret: str = variable(
        "POST_SECRET",
        "Secret of the signatures (`whsec_…`, Standard Webhooks); two, separated by a space, during rotation",
        secret=True,
        required=True,
    )
    allow: str = variable(
        "POST_ALLOW",
        "Host names and networks (`10.1.0.0/16`) of POST_URLS, and of `post` in rules, that may be private, or be "
        "reached by http; others must be public and use https",
    )
    tokens: str = variable(
        "POST_TOKENS",
        "Tokens for the headers of `post` in rules, which name them: `airflow=eyJ…, dbt=dbtc_…`, separated by spaces "
        "or commas",
        secret=True,
    )

    def secrets(self) -> list[str]:
        """Return the addresses and their parts that look like tokens, and each secret."""
        keys = self.secret.split()
        tokens = [part.partition("=")[2] or part for part in self._token_parts()]
        return [*super().secrets(), *keys, *(key.removeprefix("whsec_") for key in keys), *tokens]

    def token_values(self) -> dict[str, str]:
        """Return the tokens by their names. Raises ValueError for a part that is none, by its position."""
        found = {}
        for position, part in enumerate(self._token_parts(), start=1):
            name, _, value = part.partition("=")
            if not NAME.fullmatch(name) or not value or not (value.isascii() and value.isprintable()):
                raise ValueError(f"Part {position} of POST_TOKENS is not a value such as airflow=eyJ…")
            found[name] = value
        return found

    def token_problems(self, names: Collection[str]) -> list[str]:
        """Return a sentence for each of these tokens that is not set; one if the tokens are invalid."""
        try:
            missing = sorted(set(names) - set(self.token_values())) if names else []
        except ValueError as error:
            return [str(error)]
        return [f"rules send requests with the token {name}, which POST_TOKENS does not have" for name in missing]

    @property
    def allowed(self) -> list[str]:
        """The entries of POST_ALLOW."""
        return [entry for entry in re.split(r"[\s,]+", self.allow) if entry]

    def _token_parts(self) -> list[str]:
        return [part for part in BETWEEN.split(self.tokens.strip(" \t\r\n,")) if part]

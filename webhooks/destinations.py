"""Where a message goes: the notifiers' own destinations, and `default`, which the application resolves."""

from __future__ import annotations

from collections.abc import Container
from typing import Annotated

from pydantic import AfterValidator

from notifiers import parse_destination

DEFAULT = "default"


def check(text: str) -> str:
    """The destination as it was given. Raises ValueError with what would be right."""
    if text != DEFAULT:
        try:
            parse_destination(text)
        except ValueError as error:
            raise ValueError(f"{error}; or {DEFAULT}") from None
    return text


def resolve(text: str, configured: Container[str]) -> str:
    """`default` is Slack's default channel where Slack is configured, and the console where it is not."""
    if text != DEFAULT:
        return text
    return "slack" if "slack" in configured else "console"


Destination = Annotated[str, AfterValidator(check)]

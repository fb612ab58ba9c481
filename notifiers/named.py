"""Settings whose one variable is a list of secret values, each with an optional name: `NAME=VALUE, NAME=VALUE`. Pure.

A destination without an address means the first value, one with an address the value with that name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import unquote

from notifiers.config import Config
from notifiers.errors import NotifierError

NAME = re.compile(r"\w[\w-]{0,80}")
# The forms of a value: an address, whose signature may contain a comma, or a key.
WEB_ADDRESS = re.compile(r"https?://\S+")
KEY = re.compile(r"[A-Za-z0-9]{20,64}")
# Tokens, signatures and passwords stand between these characters.
PARTS = re.compile(r"[/?&=:@]")
# Characters; a shorter part is more likely a word than a token.
SHORTEST_TOKEN = 12


@dataclass(frozen=True)
class Named:
    """One value of a list; `name` is empty if it has none, `position` counts from 1."""

    name: str
    value: str
    position: int


@dataclass(frozen=True)
class NamedConfig(Config):
    """The settings of a notifier whose destinations are the names of secret values."""

    # The variable with the list, the form of its values, and an example of one.
    list_variable: ClassVar[str]
    value_form: ClassVar[re.Pattern[str]] = WEB_ADDRESS
    example_value: ClassVar[str] = "https://…"

    def entries(self) -> list[Named]:
        """Return the values. Raises ValueError for a part that is none, by its position: it may be a secret."""
        found = []
        for position, part in enumerate(self._parts(), start=1):
            match = re.fullmatch(rf"(?:({NAME.pattern})=)?({self.value_form.pattern})", part)
            if match is None:
                example = f"name={self.example_value}"
                raise ValueError(f"Part {position} of {self.list_variable} is not a value such as {example}")
            found.append(Named(match[1] or "", match[2], position))
        return found

    def entry(self, name: str) -> Named:
        """Return the value with this name, or the first one for an empty name. Raises a permanent NotifierError."""
        try:
            entries = self.entries()
        except ValueError as error:
            raise NotifierError(str(error), permanent=True, sent=False) from None
        chosen = next((one for one in entries if name in ("", one.name)), None)
        if chosen is None:
            known = ", ".join(sorted(one.name for one in entries if one.name)) or "none"
            words = f"No value of {self.list_variable} has the name {name}. Names: {known}"
            raise NotifierError(words, permanent=True, sent=False)
        return chosen

    def address_problem(self, address: str) -> str:
        """Return that the list has no value of this name, or that it has an invalid part; else an empty text."""
        try:
            self.entry(address)
        except NotifierError as error:
            return str(error)
        return ""

    def service_urls(self) -> list[str]:
        """Return the values that are addresses."""
        found = (WEB_ADDRESS.search(part) for part in self._parts())
        return [match[0] if match else "" for match in found]

    def secrets(self) -> list[str]:
        """Return the whole list, each value, and its parts that look like tokens."""
        found = super().secrets()
        for part in self._parts():
            value = re.sub(rf"\A{NAME.pattern}=(?={self.value_form.pattern}\Z)", "", part)
            rest = value.partition("://")[2] or value
            tokens = [token for token in PARTS.split(rest) if len(token) >= SHORTEST_TOKEN and "." not in token]
            found += [value, rest, *tokens, *map(unquote, tokens)]
        return list(dict.fromkeys(found))

    def _parts(self) -> list[str]:
        text = self.value(self.list_variable).strip(" \t\r\n,")
        start = "https?://" if self.value_form is WEB_ADDRESS else self.value_form.pattern
        return re.split(rf"[\s,]+(?=(?:{NAME.pattern}=)?{start})", text) if text else []


def parse_name(kind: str, variable: str, text: str) -> str:
    """Return the name of a value. Raises ValueError for a text that cannot be one."""
    if not NAME.fullmatch(text):
        raise ValueError(f"{text!r} is not a name. Write one of those in {variable}, as in {kind}:finance")
    return text

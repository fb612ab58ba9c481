"""The variable of the Apprise notifier: a list of addresses, each with an optional tag before it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from notifiers.apprise.workflows import find_signature
from notifiers.config import Config, variable

# Entries are separated by white space or commas; a comma inside an address is not followed by another scheme.
SEPARATOR = re.compile(r"[\s,]+(?=(?:\w[\w-]*=)?[a-zA-Z][\w+.-]*://)")
ENTRY = re.compile(r"(?:(?P<tag>\w[\w-]*)=)?(?P<url>[a-zA-Z][\w+.-]*://.+)", re.DOTALL)
# Tokens, signatures and passwords stand between these characters.
PARTS = re.compile(r"[/?&=:@]")
# Characters; a shorter part is more likely a word than a token.
SHORTEST_TOKEN = 12


@dataclass(frozen=True)
class Entry:
    """One address of APPRISE_URLS; `position` counts from 1."""

    position: int
    tag: str | None
    url: str

    @property
    def schema(self) -> str:
        """The part before `://` in lower case."""
        return self.url.partition("://")[0].lower()


@dataclass(frozen=True)
class AppriseConfig(Config):
    """Apprise addresses as one text: `URL URL …`, each with an optional tag: `ops=workflows://…`."""

    urls: str = variable(
        "APPRISE_URLS",
        "Other services (Teams, mail, …): addresses of Apprise, separated by spaces or commas; tag=URL groups them",
        secret=True,
        required=True,
    )

    def entries(self) -> list[Entry]:
        """Return the addresses. Raises ValueError for a part that is none, by its position: it may be a secret."""
        found = []
        for position, part in enumerate(self._parts(), start=1):
            match = ENTRY.fullmatch(part)
            if match is None:
                raise ValueError(f"Part {position} of APPRISE_URLS is not an address such as workflows://…")
            found.append(Entry(position, match["tag"], match["url"]))
        return found

    def service_urls(self) -> list[str]:
        """Return the addresses."""
        matches = (ENTRY.fullmatch(part) for part in self._parts())
        return [match["url"] if match else "" for match in matches]

    def secrets(self) -> list[str]:
        """Return the whole value, each address, what follows its scheme, and the parts that look like tokens."""
        found = [*super().secrets()]
        for part in self._parts():
            match = ENTRY.fullmatch(part)
            rest = match["url"].partition("://")[2] if match else part
            tokens = [token for token in PARTS.split(rest) if len(token) >= SHORTEST_TOKEN and "." not in token]
            if signature := find_signature(match["url"] if match else part):
                tokens.append(signature[2])
            found += [match["url"] if match else part, rest, *tokens, *map(unquote, tokens)]
        return list(dict.fromkeys(found))

    def _parts(self) -> list[str]:
        text = (self.urls or "").strip(" \t\r\n,")
        return SEPARATOR.split(text) if text else []

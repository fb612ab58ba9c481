"""Tells people through anything the library Apprise knows: Teams, mail, Telegram, plain webhooks and a hundred more.

https://github.com/caronc/apprise/wiki
"""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from types import ModuleType
from typing import Any

from notifiers.errors import NotifierError, demand, utc_now
from notifiers.message import Message, Picture, Receipt, plain, title_of

TAG = re.compile(r"\w[\w-]*")
# Entries stand apart by white space or commas; a comma inside an address is followed by no scheme.
APART = re.compile(r"[\s,]+(?=(?:\w[\w-]*=)?[a-zA-Z][\w+.-]*://)")
ENTRY = re.compile(r"(?:(?P<tag>\w[\w-]*)=)?(?P<url>[a-zA-Z][\w+.-]*://.+)", re.DOTALL)
TYPES = {"info": "info", "good": "success", "warning": "warning", "bad": "failure"}


@dataclass(frozen=True)
class AppriseConfig:
    """Apprise addresses as one text: `URL URL …`, each may have a tag before it: `ops=msteams://…`."""

    urls: str | None = field(default=None, repr=False)

    @property
    def complete(self) -> bool:
        """Whether there is any address."""
        return bool(self.urls)

    @property
    def addressed(self) -> bool:
        """The same: without a tag every address is told."""
        return self.complete


class AppriseNotifier:
    """Sends to every address, or to those with a tag."""

    kind = "apprise"

    def __init__(self, config: AppriseConfig, *, clock: Callable[[], datetime] = utc_now) -> None:  # noqa: ARG002
        self._config = config

    @staticmethod
    def address(text: str) -> str:
        """A tag of APPRISE_URLS."""
        if not TAG.fullmatch(text):
            raise ValueError(f"{text!r} is no tag; tags are words, as in apprise:ops with APPRISE_URLS=ops=msteams://…")
        return text

    def send(self, message: Message, to: str | None) -> Receipt:
        """Send the message to all addresses (of the tag); where some took it and others not, it is not repeated."""
        services = self._services(to)
        failed = [service for service in services if not self._told(service, message)]
        if failed:
            names = ", ".join(str(service.service_name) for service in failed)
            # Whom we told once we do not tell again.
            partly = len(failed) < len(services)
            words = " but to the others; it is not repeated" if partly else ""
            raise NotifierError(
                f"Apprise could not deliver to {names}{words} (the command apprise -vv would say why)",
                permanent=partly,
                uncertain=True,
            )
        return Receipt(to or "all", "")

    def attach(self, picture: Picture, receipt: Receipt) -> None:
        """Nothing: most media cannot add to a message that was sent."""

    def check(self) -> str:
        """Whether every address can be read; the services are not asked."""
        names = sorted({str(service.service_name) for service in self._services(None)})
        return f"Apprise: {', '.join(names)}"

    def _services(self, tag: str | None) -> list[Any]:
        demand("Apprise", APPRISE_URLS=self._config.urls)
        found = entries(self._config.urls or "")
        services = [self._service(url) for its_tag, url in found if tag in (None, its_tag)]
        if not services:
            known = ", ".join(sorted({its_tag for its_tag, _ in found if its_tag})) or "none"
            raise NotifierError(f"No address in APPRISE_URLS has the tag {tag}; its tags: {known}", permanent=True)
        return services

    def _service(self, url: str) -> Any:
        service = _library().Apprise.instantiate(url)
        if service is None:
            scheme = url.partition("://")[0]
            raise NotifierError(
                f"Apprise cannot read an address in APPRISE_URLS that begins {scheme}://", permanent=True
            )
        return service

    def _told(self, service: Any, message: Message) -> bool:
        title = title_of(message)
        body = plain(message).removeprefix(title).lstrip("\n") or title
        try:
            return bool(service.notify(body=body, title=title, notify_type=TYPES[message.severity]))
        except Exception:  # noqa: BLE001 (a plugin may raise anything; its words may hold the address)
            return False


def entries(urls: str) -> list[tuple[str | None, str]]:
    """The pairs of tag and URL in the value of APPRISE_URLS; raises a permanent NotifierError at what is neither."""
    found = [ENTRY.fullmatch(part) for part in APART.split(urls.strip(" \t\r\n,"))]
    for position, match in enumerate(found, start=1):
        if match is None:  # told by its place, as an address may hold a secret
            raise NotifierError(f"Part {position} of APPRISE_URLS is no address such as msteams://…", permanent=True)
    return [(match["tag"], match["url"]) for match in found if match]


def _library() -> ModuleType:
    try:
        library = importlib.import_module("apprise")
    except ImportError as error:
        words = "Apprise is asked for and not installed: pip install apprise"
        raise NotifierError(words, permanent=True) from error
    # Both log addresses, and addresses hold secrets.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)
    return library

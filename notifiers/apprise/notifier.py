"""Messages through Apprise: Teams, mail, Telegram, plain webhooks and a hundred more.

https://appriseit.com/
"""

from __future__ import annotations

import importlib
import logging
import os
import re
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import certifi

from notifiers.apprise.config import AppriseConfig, Entry
from notifiers.apprise.errors import Failure, error_of, failure
from notifiers.apprise.render import TYPES, render
from notifiers.apprise.workflows import separate_signature
from notifiers.config import Config
from notifiers.errors import NotifierError
from notifiers.message import Message, Receipt
from notifiers.notifier import Notifier

TAG = re.compile(r"\w[\w-]*")
# Seconds for one service; a mail server may take long to accept a message.
TIMEOUT = 30.0


@dataclass(frozen=True)
class Service:
    """A service that Apprise knows, by its address."""

    entry: Entry
    plugin: Any


class AppriseNotifier(Notifier):
    """Sends to every address of APPRISE_URLS, or to those with a tag."""

    kind: ClassVar[str] = "apprise"
    label: ClassVar[str] = "Apprise"
    config_class: ClassVar[type[Config]] = AppriseConfig
    example: ClassVar[str] = "apprise:ops"

    config: AppriseConfig

    @staticmethod
    def parse_address(text: str) -> str:
        """Return the tag. Raises ValueError for a text that cannot be one."""
        if not TAG.fullmatch(text):
            raise ValueError(
                f"{text!r} is not a tag. Tags are words, as in apprise:ops with APPRISE_URLS=ops=workflows://…"
            )
        return text

    def deliver(self, message: Message, address: str) -> Receipt:
        """Send the message to all addresses, or to those with the tag `address`."""
        services = self._services(address)
        failures = [found for service in services if (found := self._notify(service, message))]
        if failures:
            raise error_of(failures, delivered=len(failures) < len(services), now=self.clock())
        return Receipt(address or "all", "")

    def service_of(self, to: str | None) -> str:
        """Return the kind and the tag, because its addresses belong to services of their own."""
        return f"{self.kind} {to or 'all'}"

    def check(self) -> str:
        """Return the services of all addresses; the services themselves are not asked."""
        self.require_configured()
        names = sorted({str(service.plugin.service_name) for service in self._services("")})
        return f"Apprise: {', '.join(names)}"

    def _services(self, tag: str) -> list[Service]:
        try:
            entries = self.config.entries()
        except ValueError as error:
            raise NotifierError(str(error), permanent=True, sent=False) from None
        chosen = [entry for entry in entries if tag in ("", entry.tag)]
        if not chosen:
            known = ", ".join(sorted({entry.tag for entry in entries if entry.tag})) or "none"
            words = f"No address in APPRISE_URLS has the tag {tag}. Tags: {known}"
            raise NotifierError(words, permanent=True, sent=False)
        return [Service(entry, self._plugin(entry)) for entry in chosen]

    def _plugin(self, entry: Entry) -> Any:
        url, signature = separate_signature(entry.url)
        try:
            plugin = self._library.Apprise.instantiate(url, suppress_exceptions=False)
            if plugin is not None and signature:
                # Apprise encodes the attribute again when it sends.
                plugin.signature = signature
            reason = "unknown service, or parts are missing"
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything
            # The part of the address that is wrong is in brackets, and may be a secret.
            plugin, reason = None, re.sub(r"\s*\(.*\)", "", str(error)).rstrip(".")
        if plugin is None:
            words = f"Apprise cannot use address {entry.position} of APPRISE_URLS ({entry.schema}://…): {reason}"
            raise NotifierError(words, permanent=True, sent=False)
        return plugin

    def _notify(self, service: Service, message: Message) -> Failure | None:
        """Return None where the service has the message."""
        plugin, library = service.plugin, self._library
        text_format = library.NotifyFormat.TEXT
        markdown = plugin.resolve_format(text_format) == library.NotifyFormat.MARKDOWN
        # A property, and no number, where the length is known only when it is sent.
        separate = not isinstance(plugin.title_maxlen, int) or plugin.title_maxlen > 0
        title, body = render(message, service.entry.schema, markdown=markdown, separate_title=separate)
        one = library.Apprise()
        one.add(plugin)
        outcome = one.notify(
            body=body,
            title=title,
            notify_type=TYPES[message.severity],
            body_format=text_format,
            timeout=TIMEOUT,
            log_level=logging.DEBUG,
        )
        if outcome:
            return None
        lines = [line.message for result in outcome for line in result.logs()]
        return failure(str(plugin.service_name), service.entry.position, lines)

    @cached_property
    def _library(self) -> ModuleType:
        try:
            library = importlib.import_module("apprise")
        except ImportError as error:
            words = "APPRISE_URLS is set and Apprise is not installed: pip install apprise"
            raise NotifierError(words, permanent=True, sent=False) from error
        # The reason of a failure is in its debug lines, and so are addresses: they are read and not passed on.
        logger = logging.getLogger("apprise")
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)
        if self.ca_bundle:
            # Apprise takes no such argument; requests and OpenSSL read these variables.
            trusted = combined_bundle(Path(self.ca_bundle))
            for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
                os.environ.setdefault(name, trusted)
        return library


def combined_bundle(ca_bundle: Path) -> str:
    """Write the usual certificate authorities and those of `ca_bundle` into a temporary file, and return its path."""
    try:
        certificates = f"{certifi.contents()}\n{ca_bundle.read_text(encoding='ascii')}"
    except (OSError, ValueError) as error:
        words = f"The CA bundle {ca_bundle} is not readable: {error}"
        raise NotifierError(words, permanent=True, sent=False) from error
    with tempfile.NamedTemporaryFile("w", encoding="ascii", suffix=".pem", delete=False) as file:
        file.write(certificates)
    return file.name

"""The base of notifiers whose destinations are the names of secret addresses or keys, to which they post."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from notifiers.errors import NotifierError
from notifiers.message import Receipt
from notifiers.named import Named, NamedConfig, parse_name
from notifiers.notifier import Notifier

if TYPE_CHECKING:
    from notifiers.address_guard import AddressGuard
    from notifiers.transport import Response, Transport

# The place in the receipt of a message to the first entry of the list.
DEFAULT = "default"


class NamedNotifier(Notifier):
    """Posts to the entries of the list in its config. The service is not asked by `check`, because it can only post."""

    # The name of the service in errors of the connection, and why `check` does not ask it.
    service: ClassVar[str]
    not_asked: ClassVar[str]

    config: NamedConfig

    @classmethod
    def parse_address(cls, text: str) -> str:
        """Return the name of an entry. Raises ValueError for a text that cannot be one."""
        return parse_name(cls.kind, cls.config_class.list_variable, text)  # type: ignore[attr-defined]

    def check(self) -> str:
        """Return the names of the entries."""
        names = ", ".join(one.name or f"number {one.position}" for one in self.entries())
        return f"{self.label}: {names}; not asked, because {self.not_asked}"

    def service_of(self, to: str | None) -> str:
        """Return the kind and the name of the entry, because each may have a server of its own."""
        return f"{self.kind} {to or DEFAULT}"

    def entries(self) -> list[Named]:
        """Return the entries of the list. Raises a permanent NotifierError if it is missing or invalid."""
        self.require_configured()
        try:
            return self.config.entries()
        except ValueError as error:
            raise NotifierError(str(error), permanent=True, sent=False) from None

    @property
    def guard(self) -> AddressGuard | None:
        """The guard that refuses connections to some addresses; None if all are allowed."""
        return None

    def post_json(self, url: str, body: bytes, headers: Mapping[str, str] | None = None) -> Response:
        """Send a POST request with JSON, and return the response. Raises NotifierError without one."""
        from notifiers.transport import Request  # noqa: PLC0415 - commands that send nothing start without HTTP

        return self._transport.send(Request("POST", url, {"Content-Type": "application/json", **(headers or {})}, body))

    @cached_property
    def _transport(self) -> Transport:
        from notifiers.transport import Transport  # noqa: PLC0415 - as above

        secrets = self.config.secrets()
        return Transport(self.service, secrets=secrets, ca_bundle=self.ca_bundle, guard=self.guard)


def receipt_of(address: str, message_id: str = "") -> Receipt:
    """Return the receipt of a message to the entry with this name, or to the first one for an empty name."""
    return Receipt(address or DEFAULT, message_id)


def address_of(channel: str) -> str:
    """Return the name of the entry in a receipt; empty for the first one."""
    return "" if channel == DEFAULT else channel

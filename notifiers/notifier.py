"""The interface that the notifiers of all kinds share, and the steps they have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from notifiers.config import Config
from notifiers.errors import NotifierError, utc_now
from notifiers.message import Message, Picture, Receipt


@dataclass(frozen=True)
class Capabilities:
    """The abilities of a kind of notifier beyond sending a message."""

    # Change a message that was sent.
    edit: bool = False
    # Reply to a message, so that both are shown together.
    thread: bool = False
    # Show buttons whose press comes back to the server.
    buttons: bool = False
    # Mention a person, so that the service alerts them.
    mention: bool = False
    # Show a picture.
    picture: bool = False
    # Look up whether a message was delivered.
    receipt: bool = False
    # Each message costs money.
    paid: bool = False


@dataclass(frozen=True)
class AddressCheck:
    """The validity of an address; `valid` None means that this cannot be checked, as `text` explains."""

    address: str
    valid: bool | None
    text: str


class Notifier(ABC):
    """Delivers messages to one kind of destination. Thread-safe; every failure is a NotifierError.

    Nothing is opened or asked before the first message. `ca_bundle` names a file with certificate authorities to trust
    beside the usual ones.
    """

    kind: ClassVar[str]
    # The service's name, for people.
    label: ClassVar[str]
    config_class: ClassVar[type[Config]]
    capabilities: ClassVar[Capabilities] = Capabilities()
    # An address of this kind, for error messages and documentation.
    example: ClassVar[str]

    def __init__(self, config: Any, *, clock: Callable[[], datetime] = utc_now, ca_bundle: str = "") -> None:
        self.config = config
        self.clock = clock
        self.ca_bundle = ca_bundle

    @staticmethod
    @abstractmethod
    def parse_address(text: str) -> str:
        """Return the address in its canonical form. Raises ValueError that shows a valid one."""

    @abstractmethod
    def deliver(self, message: Message, address: str) -> Receipt:
        """Deliver the message, without its picture, to `address` (empty where the kind needs none)."""

    @abstractmethod
    def check(self) -> str:
        """Ask the service whether the credentials are valid, and return one line about the account."""

    def billed_units(self, message: Message) -> int:  # noqa: ARG002 - the interface has it
        """Return how many units the service charges for the message, where messages cost money."""
        return 1

    def check_addresses(self, addresses: Sequence[str]) -> Iterable[AddressCheck]:  # noqa: ARG002 - the interface has it
        """Ask the service about each address, without a message; nothing where the service cannot be asked."""
        return ()

    def attach(self, picture: Picture, receipt: Receipt) -> None:  # noqa: B027 - most services have no pictures
        """Add the picture to a sent message; do nothing where the service has no pictures."""

    def is_delivered(self, receipt: Receipt) -> bool:  # noqa: ARG002 - the interface has it
        """Return whether a sent message has reached its recipient; True where the service cannot say.

        Raises Undelivered, with the reason, for a message that could not be delivered.
        """
        return True

    def send(self, message: Message, to: str | None) -> Receipt:
        """Deliver the message, without its picture; `to` None means the configured default address.

        The error of a failed delivery names the destination, and the variable that set it.
        """
        self.require_configured()
        address = to or self.config.default_address
        variable = self.config.address_variable
        if variable and not address:
            words = f"{self.kind} has no address: set {variable}, or write a destination such as {self.example}"
            raise NotifierError(words, permanent=True, sent=False)
        place = f"{self.kind}:{address}" if address else self.kind
        try:
            return self.deliver(message, address)
        except NotifierError as error:
            source = "" if to or not variable else f" ({variable})"
            error.prefix(f"Could not deliver to {place}{source}. ")
            raise

    def require_configured(self) -> None:
        """Raise the permanent error that names every required variable that is not set."""
        if missing := self.config.missing():
            verb = "is" if len(missing) == 1 else "are"
            words = f"{self.label} is not configured: {', '.join(missing)} {verb} not set"
            raise NotifierError(words, permanent=True, sent=False)

"""The interface that the notifiers of all kinds share, and the steps they have in common."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from notifiers.config import Config
from notifiers.errors import CannotEdit, CannotReply, NotifierError, utc_now
from notifiers.limits import Limit, Operation
from notifiers.message import Message, Picture, Posted, Receipt, Unknown

# How a notice can be kept up to date: "edit" its message; a new "message" for each change that people must know; only
# its two "ends", a message when it opens and one when it closes.
Upkeep = Literal["edit", "message", "ends"]


@dataclass(frozen=True)
class Capabilities:
    """The abilities of a kind of notifier beyond sending a message."""

    # Change a message that was sent.
    edit: bool = False
    # Reply to a message, so that both are shown together.
    thread: bool = False
    # Show buttons whose press comes back to the server.
    buttons: bool = False
    # Show links on which the reader can act, in place of buttons.
    actions: bool = False
    # Mention a person, so that the service alerts them.
    mention: bool = False
    # Show a picture.
    picture: bool = False
    # Look up whether a message was delivered.
    receipt: bool = False
    # Each message costs money.
    paid: bool = False

    @property
    def upkeep(self) -> Upkeep:
        """The way to keep a notice of this kind up to date; a message that costs money is sent only at its ends."""
        if self.edit:
            return "edit"
        return "ends" if self.paid else "message"


@dataclass(frozen=True)
class Permission:
    """A permission that the service can grant, such as a scope, and what it makes possible."""

    name: str
    use: str
    required: bool = False


@dataclass(frozen=True)
class Person:
    """A person as the service knows them; `email` is empty if it does not say, `team` is the id of their workspace."""

    id: str
    name: str
    email: str = ""
    team: str = ""

    def __str__(self) -> str:
        """Return the person as `Ann Lee (ann@example.org)`."""
        return f"{self.name} ({self.email})" if self.email else self.name


@dataclass(frozen=True)
class AddressCheck:
    """The validity of an address; `valid` None means that this cannot be checked, as `text` explains."""

    address: str
    valid: bool | None
    text: str


class Notifier(ABC):
    """Delivers messages to one kind of destination. Thread-safe; every failure is a NotifierError.

    Nothing is opened or asked before the first message. `ca_bundle` names a file with certificate authorities to trust
    beside the usual ones. `public_url` is the address at which services reach this server; empty if they cannot.
    """

    kind: ClassVar[str]
    # The service's name, for people.
    label: ClassVar[str]
    config_class: ClassVar[type[Config]]
    capabilities: ClassVar[Capabilities] = Capabilities()
    # An address of this kind, for error messages and documentation.
    example: ClassVar[str]
    # The addresses that reach one person, who is alerted once by what comes within minutes.
    personal: ClassVar[re.Pattern[str]] = re.compile(r"(?!)")
    # What the service must or can grant to the credentials, for documentation and checks.
    permissions: ClassVar[tuple[Permission, ...]] = ()
    # The sentence before their table in the documentation.
    permissions_intro: ClassVar[str] = ""

    def __init__(
        self, config: Any, *, clock: Callable[[], datetime] = utc_now, ca_bundle: str = "", public_url: str = ""
    ) -> None:
        self.config = config
        self.clock = clock
        self.ca_bundle = ca_bundle
        self.public_url = public_url

    @property
    def has_buttons(self) -> bool:
        """Return whether buttons are shown and the service reports their presses to the server."""
        return self.capabilities.buttons

    @property
    def takes_replies(self) -> bool:
        """Return whether people can reply to a message, so that the sender may be notified of it."""
        return False

    def is_personal(self, to: str | None) -> bool:
        """Return whether messages to this address, or to the default one, reach one person."""
        return self.personal.fullmatch(to or self.config.default_address) is not None

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

    @classmethod
    def manifest(
        cls,
        interactions_url: str,  # noqa: ARG003 - the interface has it
        *,
        socket_mode: bool = False,  # noqa: ARG003 - as above
    ) -> dict[str, Any] | None:
        """Return the document from which the service creates an app for this server; None if it has none.

        `socket_mode`: the service reports presses through a connection that the server opens.
        """
        return None

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
        with self._addressed(to) as address:
            return self.deliver(message, address)

    def post(self, message: Message, to: str | None, *, client_id: str = "") -> Posted:  # noqa: ARG002 - for services that keep it
        """Deliver a message that is going to be kept up to date, as far as the capabilities allow.

        `client_id` is our own id of it, with which `find` can look it up where the service keeps it.
        """
        receipt = self.send(message, to)
        return Posted(self.kind, receipt.channel, receipt.id)

    def edit(self, posted: Posted, message: Message) -> Posted:  # noqa: ARG002 - the interface has it
        """Replace the content of a message. It may be repeated, so its errors are never uncertain.

        Raises CannotEdit where the message, or any message of this kind, cannot be changed.
        """
        raise CannotEdit(f"{self.label} cannot change a message that was sent")

    def reply(self, posted: Posted, message: Message, *, client_id: str = "") -> Posted:  # noqa: ARG002 - the interface has it
        """Post a message into the thread of another. Raises CannotReply where that is not possible."""
        raise CannotReply(f"{self.label} has no threads")

    def find(
        self,
        to: str | None,  # noqa: ARG002 - the interface has it
        client_id: str,  # noqa: ARG002 - as above
        since: datetime,  # noqa: ARG002 - as above
        *,
        thread: Posted | None = None,  # noqa: ARG002 - as above
    ) -> Posted | Unknown | None:
        """Return the message with this `client_id` that was posted at `since` or later, for an uncertain outcome.

        None means that there is none, Unknown that this cannot be looked up. A request that timed out may still be
        carried out, so wait a minute before asking. `thread`: look among the replies to this message.
        """
        return Unknown(f"{self.label} cannot look up messages")

    def find_person(self, person: str) -> Person | None:  # noqa: ARG002 - the interface has it
        """Return the person with this id of the service; None if that cannot be looked up."""
        return None

    def whisper(self, message: Message, *, channel: str, person: str) -> None:  # noqa: ARG002 - the interface has it
        """Show a message to one person in a channel, both by their ids. Raises NotifierError where it is impossible."""
        raise NotifierError(f"{self.label} has no messages for one person in a channel", permanent=True, sent=False)

    def permalink(self, posted: Posted) -> Posted:
        """Return `posted` with the web address of the message, if the service has one."""
        return posted

    def service_of(self, to: str | None) -> str:  # noqa: ARG002 - most kinds have one service for all addresses
        """Return the name of the service that an address belongs to: if it is unavailable, all its messages wait."""
        return self.kind

    def limits(self, operation: Operation, to: str | None) -> tuple[Limit, ...]:  # noqa: ARG002 - the interface has it
        """Return the service's limits that an operation counts against; empty where it queues or has none.

        `to` is always the address of the destination, also for an edit or a reply, so that one channel has one budget.
        """
        return ()

    @contextmanager
    def _addressed(self, to: str | None) -> Iterator[str]:
        """Give the address that `to` names; an error names the destination, and the variable that set it."""
        self.require_configured()
        address = to or self.config.default_address
        variable = self.config.address_variable
        if variable and not address:
            words = f"{self.kind} has no address: set {variable}, or write a destination such as {self.example}"
            raise NotifierError(words, permanent=True, sent=False)
        place = f"{self.kind}:{address}" if address else self.kind
        try:
            yield address
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

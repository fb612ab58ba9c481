"""The place of a message that is kept up to date: its notifier and its address, and what is possible there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from notifiers import Notifier, parse_destination
from webhooks.destinations import resolve_default
from webhooks.errors import Permanent
from webhooks.messages.sms_answer import HINT

if TYPE_CHECKING:
    from webhooks.context.context import Context


@dataclass(frozen=True, slots=True)
class Target:
    """The notifier and the address of a destination; `to` None is the default address.

    `hint` says how to acknowledge by a reply; empty where replies do not come back to the server.
    """

    notifier: Notifier
    to: str | None
    hint: str

    @classmethod
    def of(cls, context: Context, destination: str) -> Target:
        """Return the target of a destination. Raises Permanent if it is none."""
        try:
            found = parse_destination(resolve_default(destination, context.notifiers.with_default_address))
        except ValueError as error:
            raise Permanent(str(error)) from None
        notifier = context.notifiers[found.kind]
        return cls(notifier, found.to, HINT if context.settings.sms_replies and notifier.takes_replies else "")

    @property
    def is_personal(self) -> bool:
        """Return whether its messages are for one person."""
        return self.notifier.is_personal(self.to)

    @property
    def can_edit(self) -> bool:
        """Return whether a message that was posted can be completed later."""
        return self.notifier.capabilities.edit

    @property
    def has_buttons(self) -> bool:
        """Return whether buttons of the message work."""
        return self.notifier.has_buttons

    @property
    def has_action_links(self) -> bool:
        """Return whether links with which people act take the place of buttons."""
        return self.notifier.capabilities.actions

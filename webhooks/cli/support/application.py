"""What commands take from the application; what is not set up ends the command with a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import current_app

from webhooks import logs
from webhooks.cli.support.exit_codes import Failure, Unavailable
from webhooks.registry import RegistrationError
from webhooks.rules import RulesError
from webhooks.webhook_url import mask_url

if TYPE_CHECKING:
    from webhooks.config.settings import Settings
    from webhooks.inbox import EventRecord, Inbox
    from webhooks.registry import Registry
    from webhooks.rules import Rules
    from webhooks.services import Services

LARGEST_ID = 2**63 - 1


def services() -> Services:
    found: Services = current_app.extensions["webhooks"]
    return found


def settings() -> Settings:
    return services().settings


def inbox(*, create: bool = False, serve: bool = False) -> Inbox:
    """Return the inbox; exit if DATABASE_URL names none that can be opened.

    An inbox that does not exist is created with `create`, and one with an older schema is migrated with `serve`.
    """
    from webhooks.inbox import Migrate  # noqa: PLC0415 - most commands need no database

    services().migrate = Migrate.ALWAYS if serve else Migrate.IF_EMPTY if create else Migrate.NEVER
    try:
        return services().inbox
    except (RuntimeError, OSError) as error:
        raise Unavailable(f"The inbox cannot be opened: {redact(str(error))}") from error


def registry() -> Registry:
    """All handlers, loaded. Ends the command where a file of theirs is broken."""
    try:
        return services().registry
    except RegistrationError as error:
        raise Failure(str(error)) from error


def rules() -> Rules:
    """The rules of RULES_FILE. Ends the command with every fault of the file."""
    registry()
    try:
        return services().rules
    except RulesError as error:
        raise Failure(str(error)) from error


def find_event(event_id: int) -> EventRecord | None:
    """The event of that id, whatever number it is."""
    return inbox().events.get(event_id) if 0 < event_id <= LARGEST_ID else None


def get_event(event_id: int) -> EventRecord:
    """The event of that id; ends the command where there is none."""
    record = find_event(event_id)
    if record is None:
        raise Failure(f"There is no event {event_id}. flask events list shows those there are.")
    return record


def redact(text: str) -> str:
    """The text without any of the server's secrets."""
    hidden = [secret for secret in settings().secrets() if len(secret) >= logs.SHORTEST]
    return logs.redact(text, sorted(hidden, key=len, reverse=True))


def redact_url(url: str) -> str:
    """A URL for people: masked, and without any of the server's secrets, wherever in it they stand."""
    return redact(mask_url(url))

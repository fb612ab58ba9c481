"""The parts of the application that commands use; a part that is not configured ends the command with a sentence."""

from __future__ import annotations

import getpass
import socket
from typing import TYPE_CHECKING

from flask import current_app

from webhooks.cli.support.exit_codes import Failure, Unavailable
from webhooks.errors import StoreUnavailable
from webhooks.webhook_url import mask_url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from webhooks.config.settings import Settings
    from webhooks.inbox import EventRecord, Inbox, IncidentRecord
    from webhooks.incidents.silences import ActiveSilence
    from webhooks.registry import Registry
    from webhooks.rules import Rules
    from webhooks.services import Services

# Ids are 64-bit integers in the database.
LARGEST_ID = 2**63 - 1


def services() -> Services:
    found: Services = current_app.extensions["webhooks"]
    return found


def settings() -> Settings:
    return services().settings


def inbox(*, create: bool = False, serve: bool = False) -> Inbox:
    """Return the opened inbox. Raise Unavailable if the database of DATABASE_URL cannot be opened.

    An inbox that does not exist is created with `create`, and one with an older schema is migrated with `serve`.
    """
    from webhooks.inbox import Migrate  # noqa: PLC0415 - most commands need no database

    services().migrate = Migrate.ALWAYS if serve else Migrate.IF_EMPTY if create else Migrate.NEVER
    try:
        return services().inbox
    except (RuntimeError, OSError) as error:
        raise Unavailable(f"The inbox cannot be opened: {redact(str(error))}") from error


def registry() -> Registry:
    """Return all handlers, loaded. Raise Failure if a file of theirs is broken."""
    from webhooks.registry import RegistrationError  # noqa: PLC0415 - most commands need no handlers

    try:
        return services().registry
    except RegistrationError as error:
        raise Failure(str(error)) from error


def rules() -> Rules:
    """Return the rules of RULES_FILE. Raise Failure with every error of the file."""
    from webhooks.rules import RulesError  # noqa: PLC0415 - most commands need no rules

    registry()
    try:
        return services().rules
    except RulesError as error:
        raise Failure(str(error)) from error


def missing_webhooks(rules: Rules) -> list[str]:
    """Return a sentence for each site without webhooks that these rules need, as far as the inbox knows; else none."""
    from webhooks.registration import missing_webhooks  # noqa: PLC0415 - most commands are not about webhooks

    if settings().missing():
        # Without a credential nothing was ever registered: a rules file is checked without opening the database.
        return []
    try:
        return missing_webhooks(inbox(), services().sites.all, lambda site: services().desired_event_types(site, rules))
    except (Unavailable, StoreUnavailable):
        return []


def delivery_problems(rules: Rules) -> tuple[list[str], list[str]]:
    """Return a sentence for each destination of the rules that is not configured.

    The first sentences are about names, such as that of a Teams channel, that the settings of their notifier lack. The
    others are about settings that are missing as a whole, as they are where a rules file is only checked.
    """
    from webhooks.destinations import delivery_warnings, kind_of  # noqa: PLC0415 - few commands need notifiers

    notifiers = services().notifiers
    kinds = {to: kind_of(to, notifiers.with_default_address) for to in rules.destinations}
    configured = [to for to, kind in kinds.items() if kind in notifiers.configured]
    unknown = delivery_warnings(configured, notifiers)
    missing = [text for text in delivery_warnings(rules.destinations, notifiers) if text not in unknown]
    return unknown, [*missing, *services().token_problems(rules)]


def job_list_notes(rules: Rules) -> list[str]:
    """Return a sentence on the event types that these rules need from Tableau's job list, if there are any."""
    from webhooks.registration.job_list import describe_source  # noqa: PLC0415 - few rules need it

    needed = services().desired_job_list_types(rules=rules)
    return [describe_source(settings(), needed)] if needed else []


def find_event(event_id: int) -> EventRecord | None:
    """Return the event with that id, None if there is none; any integer is allowed."""
    return inbox().events.get(event_id) if 0 < event_id <= LARGEST_ID else None


def get_event(event_id: int) -> EventRecord:
    """Return the event with that id. Raise Failure if there is none."""
    record = find_event(event_id)
    if record is None:
        raise Failure(f"Event {event_id} not found. `flask events list` shows recent events.")
    return record


def get_incident(incident_id: int) -> IncidentRecord:
    """Return the incident with that number. Raise Failure if there is none; any integer is allowed."""
    from webhooks.inbox import UnknownIncident  # noqa: PLC0415 - most commands need no database

    if 0 < incident_id <= LARGEST_ID:
        try:
            return inbox().incidents.get(incident_id)
        except UnknownIncident:
            pass
    raise Failure(f"Incident {incident_id} not found. `flask incidents list` shows the newest ones.")


def site_name(site_luid: str) -> str:
    """Return the name of the site with that LUID, as messages show it: empty if there is only one site."""
    return services().sites.shown_name(site_luid)


def silences_of(records: Sequence[IncidentRecord], now: datetime) -> Mapping[int, ActiveSilence]:
    """Return the silence in force for each of these incidents, by its number."""
    from webhooks.views.silence_wording import in_force  # noqa: PLC0415 - most commands are not about incidents

    return in_force(inbox().silences.since(now), records, site_name, now)


def user() -> str:
    """Return the name of the operating system's user; empty if it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # KeyError before Python 3.13: a user without an entry, as in some containers
        return ""


def origin(by: str) -> str:
    """Return the origin of acts on the command line, for the audit log, with the user who acts under another name."""
    from webhooks.inbox.access.audit import COMMAND_LINE  # noqa: PLC0415 - most commands need no database

    name = user()
    return f"{COMMAND_LINE}{socket.gethostname()}" + (f" as {name}" if name not in {"", by} else "")


def record(act: str, subject: str, details: str = "", *, by: str = "") -> None:
    """Append to the audit log what a command is about to do. Without `by`, the user of the operating system does it."""
    by = by or user() or "unknown"
    inbox().audit.record(by=by, origin=origin(by), act=act, subject=subject, details=details)


def redact(text: str) -> str:
    """Return the text without any of the server's secrets."""
    return services().redact(text)


def redact_url(url: str) -> str:
    """Return a URL for people: its path and query masked, without any of the server's secrets."""
    return redact(mask_url(url))

"""Look up in Tableau the content that an event is about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tableau_rest.errors import InvalidResponse, NotFound, TableauError, UnknownUri
from tableau_rest.protocol.luid import luid_of
from webhooks.context.subscribed_content import subscribed_content
from webhooks.errors import Permanent
from webhooks.event import Event
from webhooks.messages.event_message import as_text

if TYPE_CHECKING:
    from tableau_rest import Tableau


@dataclass(frozen=True, slots=True)
class Lookup:
    """The workbook, data source, view, user, site, flow or subscription that an event is about.

    Without `content`, `problem` is the reason in words, and `error` is set if the look-up failed.
    `other_site` is true if the event comes from a site that the server is not signed in to.
    """

    content: Any = None
    problem: str = ""
    error: Exception | None = None
    other_site: bool = False


def kind_noun(kind: str | None) -> str:
    """Return the word for a kind of content in a sentence: "data source" for datasource."""
    return "data source" if kind == "datasource" else kind or "content"


def resource_luid(event: Event) -> str | None:
    """Return the event's `resource_luid`, or None if that is missing or not a LUID."""
    try:
        return luid_of(event.resource_luid)
    except ValueError:
        return None


def look_up(
    event: Event,
    tableau: Callable[[], Tableau],
    find: Callable[[Tableau, str, str], Any] | None = None,
    *,
    last_attempt: bool = False,
) -> Lookup:
    """Return the content that `event` is about, or the reason why there is none.

    `find` returns the content of a kind with a LUID; by default Tableau is asked. Raises an error that may pass, such
    as an outage of Tableau, unless this is the job's last attempt.
    """
    kind, luid = event.content_kind, resource_luid(event)
    if kind is None:
        name = as_text(event.event_type)
        return Lookup(problem=f"an event of type {name} does not say which kind of content its LUID belongs to")
    if luid is None:
        given = as_text(event.resource_luid)[:100]
        problem = f"the event's resource_luid {given} is not a LUID" if given else "the event has no resource_luid"
        return Lookup(problem=f"{problem}, so that it cannot be looked up in Tableau")
    client = None
    find = find or (lambda client, kind, luid: getattr(client, kind)(luid))
    try:
        client = tableau()
        content = subscribed_content(client, luid) if kind == "subscription" else find(client, kind, luid)
        if content.luid.lower() != luid.lower():
            raise InvalidResponse(f"Tableau's response does not contain the {kind_noun(kind)} {luid}")
        return Lookup(content)
    except (TableauError, Permanent) as error:
        if client and isinstance(error, NotFound) and not isinstance(error, UnknownUri):
            return _not_found(event, client, kind)
        if not error.permanent and not last_attempt:
            raise
        return Lookup(problem=f"could not look up the {kind_noun(kind)} in Tableau: {error}", error=error)


def _not_found(event: Event, tableau: Tableau, kind: str) -> Lookup:
    """Return why Tableau does not find the content: another site sent the event, or the content is gone or hidden."""
    signed_in = tableau.session().site_luid
    if is_from_other_site(event, tableau):
        sender = event.site_luid
        site = f'"{tableau.site_name}"' if tableau.site_name else "the default site"
        problem = f"this event comes from another site ({sender}); the server signs in to {site} ({signed_in})"
        if event.is_test:
            problem = f"this test event is not about content of {site}, so Tableau has no details about it"
        return Lookup(problem=problem, other_site=True)
    problem = f"this {kind_noun(kind)} no longer exists, or the server's Tableau user cannot see it"
    return Lookup(problem=problem)


def is_from_other_site(event: Event, tableau: Tableau) -> bool:
    """Return whether the event names another site than that of the session. Raises TableauError if there is none."""
    sender = event.site_luid
    return isinstance(sender, str) and bool(sender) and sender.lower() != tableau.session().site_luid.lower()

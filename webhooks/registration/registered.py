"""Remember which event types have a webhook in Tableau, each time a site's webhooks are listed.

From this, missing webhooks are known without a request to Tableau: when the rules are checked, and at start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from tableau_rest.models import Webhook
from webhooks.config.site import Site
from webhooks.event_types import EVENT_TYPES
from webhooks.registration.diff import is_ours
from webhooks.spelling import closest

if TYPE_CHECKING:
    from webhooks.inbox import Inbox

KEY = "registered webhooks"


def registered_event_types(webhooks: Iterable[Webhook], label: str) -> list[str]:
    """Return the event types of our webhooks, sorted, each once."""
    return sorted({webhook.event for webhook in webhooks if is_ours(webhook, label)})


def remember_registered(inbox: Inbox, site: Site, event_types: Iterable[str]) -> None:
    """Store the event types that have a webhook of ours on the site."""
    inbox.state.set(_key(site), sorted(event_types))


def missing_webhooks(inbox: Inbox, sites: Sequence[Site], desired: Callable[[Site], Sequence[str]]) -> list[str]:
    """Return a sentence for each site on which desired event types have no webhook, as far as this is known.

    `desired` returns the event types that the rules and handlers need from a site. Those that are probably misspelt
    are left out: they need a correction, not a webhook.
    """
    sentences = []
    for site in sites:
        registered = inbox.state.get(_key(site))
        absent = [] if registered is None else [name for name in desired(site) if name not in registered]
        missing = [name for name in absent if name in EVENT_TYPES or closest(name, EVENT_TYPES) is None]
        if missing:
            place = f"Tableau site {site.name}" if len(sites) > 1 else "Tableau"
            sentences.append(f"{place} has no webhook for {', '.join(missing)}. Run flask webhooks sync.")
    return sentences


def _key(site: Site) -> str:
    """Return the key; that of the site of the TABLEAU_… variables has no suffix, as for everything else about it."""
    return f"{KEY} {site.key}" if site.name else KEY

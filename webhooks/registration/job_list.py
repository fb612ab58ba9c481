"""Say whether events from Tableau's job list reach the rules: by the settings, and by the monitor's last readings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from webhooks.clock import from_timestamp
from webhooks.config.site import Site

if TYPE_CHECKING:
    from webhooks.config.settings import Settings
    from webhooks.inbox import Inbox

# The monitor remembers under this key why it could not read the list.
PROBLEM = "job list problem"
# The list is not read more often, so that the readings stay within their part of Tableau's limit.
LEAST_MINUTES = 5.0
CONSEQUENCE = "failures of flows, subscriptions and Bridge go unnoticed"


def reads_job_list(settings: Settings) -> bool:
    """Return whether Tableau's job list is read, if rules or handlers need events from it."""
    return not obstacle(settings)


def obstacle(settings: Settings) -> str:
    """Return which setting keeps the server from reading the job list, or an empty text."""
    if missing := settings.missing():
        return f"not set: {', '.join(missing)}"
    if not settings.reconcile:
        return "RECONCILE is false"
    return "" if settings.watch_minutes else "WATCH_MINUTES is 0"


def describe_source(settings: Settings, event_types: Sequence[str]) -> str:
    """Return in a sentence where events of these types come from, or why they do not."""
    names = ", ".join(event_types)
    if reason := obstacle(settings):
        return f"{names}: found only in Tableau's job list, which is not read ({reason})"
    minutes = max(settings.watch_minutes, LEAST_MINUTES)
    return (
        f"{names}: no webhook; found in Tableau's job list, which is read every {minutes:g} minutes and needs a site "
        "administrator's credentials"
    )


def memory_key(site: Site) -> str:
    """Return the suffix of the names under which the monitor remembers facts about a site.

    It is empty for the site of the TABLEAU_… variables.
    """
    return f" {site.key}" if site.name else ""


def job_list_problems(inbox: Inbox, sites: Sequence[Site], desired: Callable[[Site], Sequence[str]]) -> list[str]:
    """Return a sentence for each site whose job list is needed and could not be read, with the reason.

    Raises StoreUnavailable.
    """
    found = []
    known = inbox.state.get_all([PROBLEM + memory_key(site) for site in sites])
    for site in sites:
        problem = known.get(PROBLEM + memory_key(site))
        if problem and desired(site):
            place = f"The job list of the site {site.name}" if site.name else "Tableau's job list"
            since = f"{from_timestamp(problem['since']):%Y-%m-%d %H:%M} UTC"
            found.append(f"{place} cannot be read since {since}: {problem['text']}")
    return found

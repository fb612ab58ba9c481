"""Build the monitor from the settings: which checks run, for which sites."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from webhooks.config.settings import Settings
from webhooks.config.site import Site
from webhooks.inbox import Inbox
from webhooks.monitor import certificate
from webhooks.monitor.alerts import Alerts
from webhooks.monitor.checks import CertificateCheck, DesiredWebhooks, GapCheck, WebhookCheck
from webhooks.monitor.credential import CredentialCheck
from webhooks.monitor.dependents import DependentsCheck
from webhooks.monitor.history import HISTORY_DAYS, HistoryCheck
from webhooks.monitor.job_budget import JobBudget
from webhooks.monitor.job_events import JobListCheck
from webhooks.monitor.job_list import JobList
from webhooks.monitor.monitor import Check, Monitor
from webhooks.monitor.open_incidents import OpenIncidents
from webhooks.monitor.outages import no_outage
from webhooks.monitor.reconcile import Reconciler
from webhooks.monitor.sight import Sight
from webhooks.monitor.watches.site_watch import SiteWatch
from webhooks.registration.job_list import memory_key, reads_job_list
from webhooks.webhook_url import public_url

if TYPE_CHECKING:
    from tableau_rest import Tableau
    from webhooks.rules.watches import Watch

log = logging.getLogger(__name__)

# Minutes between two looks of the watches: what is overdue is noticed this late.
WATCH_MINUTES = 0.5
# Minutes between the checks if only the credential is checked.
CREDENTIAL_MINUTES = 60


def no_types(site: Site) -> Sequence[str]:  # noqa: ARG001 - the default
    """Return no event types."""
    return ()


@dataclass(frozen=True, slots=True)
class Lookups:
    """Functions that the checks call for current values.

    `client` returns the Tableau client of a site, `desired` the event types that rules and handlers need from its
    webhooks, `desired_from_jobs` those from its job list, `watches` what the rules declare, and `last_outage`
    the time of the last outage of our own.
    """

    client: Callable[[Site], Tableau]
    desired: Callable[[Site], Sequence[str]]
    desired_from_jobs: Callable[[Site], Sequence[str]] = no_types
    last_outage: Callable[[], float | None] = no_outage
    watches: Callable[[], Sequence[Watch]] = tuple


def build_monitor(settings: Settings, inbox: Inbox, sites: Sequence[Site], lookups: Lookups) -> Monitor | None:
    """Return the monitor, not started; None without a credential for Tableau."""
    if settings.missing():
        return None
    checks = build_checks(settings, inbox, sites, lookups)
    # The consequences of an outage concern webhooks only.
    watched = lookups.last_outage if monitors_webhooks(settings) else no_outage
    return Monitor(inbox, checks, settings.watch_minutes or CREDENTIAL_MINUTES, last_outage=watched)


def build_watch(settings: Settings, inbox: Inbox, sites: Sequence[Site], lookups: Lookups) -> Monitor | None:
    """Return the monitor that notices what did not happen, not started; None if the job list is not read.

    It has a lock and a thread of its own: it looks far more often than other checks, and none may delay it.
    """
    if not reads_job_list(settings):
        return None
    checks = []
    for site in sites:
        key = memory_key(site)
        tableau = partial(lookups.client, site)
        sight = Sight(Alerts(inbox, site=site.name, key=key), settings.zone)
        budget = JobBudget(inbox, key)
        watch = SiteWatch(
            inbox, tableau, budget, settings.zone, key=key, sight=sight, watches=lookups.watches, site=site.name
        )
        checks.append(watch)
    return Monitor(inbox, checks, WATCH_MINUTES, lock="watch")


def monitors_webhooks(settings: Settings) -> bool:
    """Return whether our webhooks in Tableau are checked."""
    return bool(settings.webhook_url and settings.watch_minutes) and not settings.missing()


def _monitored_url(settings: Settings) -> str:
    """Return the URL that our webhooks in Tableau should have, or "" if they are not checked."""
    if not monitors_webhooks(settings):
        return ""
    try:
        return public_url(settings.webhook_url, next(iter(settings.webhook_tokens()), ""))
    except ValueError as error:
        log.error("Webhooks are not monitored, WEBHOOK_URL is invalid: %s", error)  # noqa: TRY400 - one line is enough
        return ""


def build_checks(settings: Settings, inbox: Inbox, sites: Sequence[Site], lookups: Lookups) -> list[Check]:
    """Return all checks that the settings ask for; those of the webhooks come first."""
    url = _monitored_url(settings)
    webhook_checks, readers, credentials, histories = list[Check](), list[Check](), list[Check](), list[Check]()
    for site in sites:
        key = memory_key(site)
        alerts, tableau = Alerts(inbox, site=site.name, key=key), partial(lookups.client, site)
        sight = Sight(alerts, settings.zone)
        credentials += [CredentialCheck(alerts, tableau, sight), sight]
        job_list = JobList(tableau, JobBudget(inbox, key), for_refreshes=bool(url))
        if reads_job_list(settings):
            desired_from_jobs = partial(lookups.desired_from_jobs, site)
            readers.append(JobListCheck(alerts, tableau, desired_from_jobs, job_list, sight))
            days = min(HISTORY_DAYS, settings.run_retention_days or HISTORY_DAYS)
            histories.append(HistoryCheck(inbox, tableau, days=days, key=key))
            histories.append(OpenIncidents(inbox, tableau, job_list.budget))
            histories.append(DependentsCheck(inbox, tableau))
        if not url:
            continue
        webhooks = DesiredWebhooks(lookups.desired(site), url, settings.webhook_label, settings.watch_repair)
        check = WebhookCheck(alerts, tableau, webhooks, last_outage=lookups.last_outage, sight=sight)
        webhook_checks.append(check)
        if settings.reconcile:
            # It uses the reading of the job list that the check before it has just made.
            reconciler = Reconciler(
                inbox,
                tableau,
                webhooks.event_types,
                key=key,
                repaired=check.take_repaired,
                job_list=job_list,
                caught_up=sight.caught_up,
            )
            readers.append(reconciler)
    checks: list[Check] = [*webhook_checks, *readers, *credentials]
    if url:
        fetch = partial(certificate.fetch, ca_bundle=settings.ca_bundle)
        checks += [CertificateCheck(Alerts(inbox), url, fetch=fetch), GapCheck(Alerts(inbox), settings.zone)]
    # Last, because it may take long.
    return [*checks, *histories]

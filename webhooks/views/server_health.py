"""Say whether the server itself works: its webhooks, worker, rules, credential, services and deliveries."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from webhooks.text import count, cut
from webhooks.views.formats import local_time
from webhooks.views.outages import unavailable_services
from webhooks.views.webhook_health import WebhookHealth, webhook_health

if TYPE_CHECKING:
    from webhooks.services import Services

log = logging.getLogger(__name__)

# Characters of a problem beside the other checks.
MAX_TEXT = 90
# A credential that ends within this time needs attention.
SOON_DAYS = 14


@dataclass(frozen=True, slots=True)
class Check:
    """One fact about the server.

    `state` is good, poor (needs attention), bad (something does not work), or unknown: not checked yet.
    """

    name: str
    text: str
    state: Literal["good", "poor", "bad", "unknown"]


def read_webhook_health(services: Services, now: datetime) -> WebhookHealth:
    """Return the health of the webhooks of all sites, as the monitor last saw them."""
    from webhooks.inbox.server.webhook_checks import last_webhook_checks  # noqa: PLC0415 - the help page needs no database

    # The monitor remembers nothing but this suffix of a site: see registration.job_list.memory_key.
    suffixes = [f" {site.key}" if site.name else "" for site in services.sites.all]
    checks = last_webhook_checks(services.inbox.state, suffixes)
    return webhook_health(checks, timedelta(minutes=services.settings.watch_minutes), now)


def server_checks(services: Services, now: datetime) -> list[Check]:
    """Return what is known about the server. A check that cannot be made is left out."""
    found: list[Check] = []
    for check in (_webhooks, _worker, _credential, _rules, _outages, _deliveries, _job_list, _bodies):
        try:
            found += check(services, now)
        except Exception as error:  # noqa: BLE001 - of any kind if the database or the rules are damaged
            log.debug("A check of the server failed: %s", error)
    return found


def summary(checks: list[Check]) -> Check:
    """Return the worst state of all checks in one word."""
    if bad := [check for check in checks if check.state == "bad"]:
        return Check("server", f"{bad[0].name}: {bad[0].text}", "bad")
    poor = [check for check in checks if check.state == "poor"]
    return Check("server", f"{poor[0].name}: {poor[0].text}" if poor else "healthy", "poor" if poor else "good")


def _webhooks(services: Services, now: datetime) -> Iterator[Check]:
    health = read_webhook_health(services, now)
    # Without a check so far, or without WEBHOOK_URL, nothing is known; an overdue check is a problem.
    unknown: Literal["poor", "unknown"] = "poor" if health.checked_at else "unknown"
    states: dict[str, Literal["good", "poor", "bad", "unknown"]] = {"healthy": "good", "unhealthy": "bad"}
    yield Check("Webhooks in Tableau", health.text.removeprefix("webhooks "), states.get(health.state, unknown))


def _worker(services: Services, _: datetime) -> Iterator[Check]:
    if not services.settings.worker_threads:
        yield Check("Worker", "in a separate process", "good")
    elif services.working() and services.plans_events():
        yield Check("Worker", count(services.settings.worker_threads * services.processes, "thread"), "good")
    else:
        yield Check("Worker", "not running, or plans nothing", "bad")


def _credential(services: Services, now: datetime) -> Iterator[Check]:
    dates = [site.pat_expires for site in services.sites.all if site.pat_expires and site.auth == "pat"]
    if services.settings.missing():
        yield Check("Sign-in to Tableau", "not configured", "poor")
    elif dates:
        days = (min(dates) - now.date()).days
        text = f"token ends in {count(days, 'day')}" if days > 0 else "the token has ended"
        yield Check("Sign-in to Tableau", text, "good" if days > SOON_DAYS else "poor" if days > 0 else "bad")


def _rules(services: Services, _: datetime) -> Iterator[Check]:
    version = services.inbox.rule_versions.current()
    problems = services.active_rules.problems(version)
    text = f"version {version.id}" if version else "of the file"
    yield Check(
        "Rules", problems[0].partition(". ")[0].removesuffix(".") if problems else text, "poor" if problems else "good"
    )


def _outages(services: Services, now: datetime) -> Iterator[Check]:
    for service in unavailable_services(services):
        yield Check(service.name, service.describe(lambda at: local_time(at, now, services.settings.zone)), "bad")


def _deliveries(services: Services, _: datetime) -> Iterator[Check]:
    if failing := services.undeliverable():
        yield Check("Reports of dead letters", f"{count(len(failing), 'destination')} cannot be reached", "bad")


def _bodies(services: Services, _: datetime) -> Iterator[Check]:
    if problem := services.empty_requests.problem():
        yield Check("Events", problem, "poor")


def _job_list(services: Services, _: datetime) -> Iterator[Check]:
    if problems := services.job_list_problems():
        yield Check("Job list of Tableau", cut(problems[0], MAX_TEXT), "poor")

"""GET /healthz, /readyz and /metrics, for load balancers and Prometheus. They are open, so they name no content."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING

from flask import Blueprint, Response, current_app

from webhooks.clock import utc_now
from webhooks.errors import StoreUnavailable
from webhooks.observability.metrics import Figures, Key, metrics_text
from webhooks.problem import problem
from webhooks.services import Services
from webhooks.text import count

if TYPE_CHECKING:
    from webhooks.inbox import RuleVersion

log = logging.getLogger(__name__)
blueprint = Blueprint("health", __name__)

# The first use opens the inbox: an invalid DATABASE_URL raises RuntimeError, a folder without permission OSError.
INBOX_ERRORS = (StoreUnavailable, RuntimeError, OSError)


def services() -> Services:
    """Return the services of the current application."""
    found: Services = current_app.extensions["webhooks"]
    return found


@blueprint.get("/healthz")
def alive() -> Response:
    """Return 200 while the process responds."""
    return Response('{"status": "alive"}\n', content_type="application/json")


@blueprint.get("/readyz")
def ready() -> Response:
    """Return 200 if events can be stored and the worker takes jobs, else 503 with the reason.

    `warnings` lists what does not keep this server from working but needs attention.
    """
    if not writable():
        return problem(503, "The inbox cannot be written.")
    if not services().working() or not planning():
        return problem(503, "The embedded worker is not running, or plans nothing.")
    body: dict[str, object] = {"status": "ready"}
    if warnings := [
        *rules_problems(),
        *delivery_problems(),
        *service_problems(),
        *job_list_problems(),
        *socket_problems(),
        *body_problems(),
    ]:
        body["warnings"] = warnings
    return Response(json.dumps(body) + "\n", content_type="application/json")


@blueprint.get("/metrics")
def metrics() -> Response:
    """Return Prometheus text. The figures come from the inbox, so every process returns the same ones."""
    started = time.perf_counter()
    up, socket = writable(), None
    version: RuleVersion | None = None
    figures, incidents, counters = dict[str, float](), dict[tuple[str, str], int](), dict[Key, float]()
    silenced = 0
    try:
        inbox = services().inbox
        if up:
            inbox.counters.flush(inbox.store)
        figures, incidents = inbox.counts(), inbox.incidents.count_open()
        silenced = silenced_incidents() if incidents else 0
        socket = services().socket_status()
        counters = dict(inbox.counters.read(inbox.store))
        version = inbox.rule_versions.current()
    except Exception as error:  # noqa: BLE001 - the metrics say that the inbox is down
        log.debug("The inbox cannot be counted: %s", error)
        up = False
    text, content_type = metrics_text(
        Figures(
            up=up,
            read_seconds=time.perf_counter() - started,
            rules_file_not_in_force=bool(rules_problems(version)),
            rules_version=version.id if version else 0,
            gauges=figures,
            incidents=incidents,
            silenced=silenced,
            counters=counters,
            slack_socket=None if socket is None else not socket.problem,
        )
    )
    return Response(text, content_type=content_type)


def silenced_incidents() -> int:
    """Return how many incidents that are not closed a silence holds; they are read only while one is in force."""
    from webhooks.incidents import IncidentFilter  # noqa: PLC0415 - most processes never need it
    from webhooks.incidents.incident_filter import OPEN_STATES  # noqa: PLC0415 - see above
    from webhooks.views import silence_wording  # noqa: PLC0415 - see above

    inbox, now = services().inbox, utc_now()
    silences = [one for one in inbox.silences.since(now) if one.span_at(now)]
    records = inbox.incidents.list(IncidentFilter(states=OPEN_STATES)) if silences else []
    return len(silence_wording.in_force(silences, records, services().sites.shown_name, now))


def rules_problems(in_force: RuleVersion | None = None) -> list[str]:
    """Return why this server's rules file is not in force; empty if it is, or if that is unknown.

    `in_force` is the version of the rules in force, if it was read just now.
    """
    try:
        return services().active_rules.problems(in_force)
    except Exception as error:  # noqa: BLE001 - of any kind if the database is damaged
        log.debug("The rules in force are unknown: %s", error)
        return []


def delivery_problems() -> list[str]:
    """Return that dead letters cannot be delivered; empty if they can, or if that is unknown."""
    from webhooks.registry import RegistrationError  # noqa: PLC0415 - see above
    from webhooks.rules import RulesError  # noqa: PLC0415 - see above

    try:
        failing = len(services().undeliverable())
    except (*INBOX_ERRORS, RegistrationError, RulesError):
        return []
    return (
        [f"Dead letters cannot be delivered to {failing} of their destinations. Run flask doctor."] if failing else []
    )


def service_problems() -> list[str]:
    """Return how many services are unavailable; empty if none is, or if that is unknown."""
    try:
        number = len(services().inbox.outages.list())
    except Exception as error:  # noqa: BLE001 - of any kind if the database is damaged
        log.debug("The outages of services are unknown: %s", error)
        return []
    return [f"{count(number, 'service')} unavailable, so messages or jobs wait. Run flask status."] if number else []


def job_list_problems() -> list[str]:
    """Return that Tableau's job list, which the rules need, is not read; empty if it is, or if that is unknown."""
    from webhooks.registration.job_list import CONSEQUENCE  # noqa: PLC0415 - see above

    try:
        unread = services().job_list_problems()
    except Exception as error:  # noqa: BLE001 - of any kind if the rules or the database are damaged
        log.debug("The readings of the job list are unknown: %s", error)
        return []
    return [f"Tableau's job list is not read: {CONSEQUENCE}. Run flask doctor."] if unread else []


def body_problems() -> list[str]:
    """Return that events may arrive without their bodies; empty if they do not, or if that is unknown."""
    try:
        found = services().empty_requests.problem()
    except Exception as error:  # noqa: BLE001 - of any kind if the database is damaged
        log.debug("The requests without a body are unknown: %s", error)
        return []
    return [f"Events may be lost: {found}. Run flask doctor."] if found else []


def socket_problems() -> list[str]:
    """Return that Slack's buttons have no effect; empty if they have, without Socket Mode, or if that is unknown."""
    try:
        status = services().socket_status()
    except Exception as error:  # noqa: BLE001 - of any kind if the database is damaged
        log.debug("The connection to Slack is unknown: %s", error)
        return []
    return ["Not connected to Slack: buttons have no effect. Run flask doctor."] if status and status.problem else []


def writable() -> bool:
    """Return whether an event could be stored now; whatever the error is, it could not."""
    try:
        services().inbox.check_writable()
    except INBOX_ERRORS:
        return False
    except Exception as error:  # noqa: BLE001 - such as a table that is missing
        log.error("Not ready, an event could not be stored: %s", error)  # noqa: TRY400 - the cause is in the text
        return False
    return True


def planning() -> bool:
    """Return whether events get planned."""
    try:
        return services().plans_events()
    except Exception as error:  # noqa: BLE001 - of any kind if the database is damaged
        log.debug("The unplanned events are unknown: %s", error)
        return False

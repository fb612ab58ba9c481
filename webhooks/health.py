"""GET /healthz, /readyz and /metrics, for load balancers and Prometheus. They are open, so they name no content."""

from __future__ import annotations

import json
import logging
import time

from flask import Blueprint, Response, current_app

from webhooks.errors import StoreUnavailable
from webhooks.problem import problem
from webhooks.services import Services

log = logging.getLogger(__name__)
blueprint = Blueprint("health", __name__)

# Metrics by the figures of the inbox: name and description.
GAUGES = {
    "events": ("events_newest_id", "Id of the newest event; ids have gaps, so this is not a count of events"),
    "unplanned": ("events_unplanned", "Stored events that are not planned yet"),
    "ready": ("jobs_ready", "Jobs waiting to run, including those waiting for their next attempt"),
    "running": ("jobs_running", "Running jobs"),
    "dead": ("jobs_dead", "Jobs that used up their attempts or met a permanent error"),
    "oldest_due": ("jobs_oldest_due_seconds", "How long the oldest due job has been waiting"),
    "newest_event": ("events_newest_timestamp_seconds", "When the newest event was received"),
    "bytes": ("inbox_bytes", "Size of the inbox on disk"),
}

# The metric with the labels kind and state; acknowledged and snoozed incidents are open, too.
INCIDENTS_GAUGE = ("incidents", "Incidents that are not closed, by kind and by state (open, acknowledged, snoozed)")
# These are always there, so that an alert has a value to compare before the first incident.
INCIDENT_LABELS = tuple(("failing", state) for state in ("open", "acknowledged", "snoozed"))

# The one metric that is about this server and not about the inbox.
RULES_GAUGE = ("rules_file_not_in_force", "1 if this server's rules file is not in force")
# The version of the rules in force; all servers of an inbox use the same one.
VERSION_GAUGE = ("rules_version", "The version of the rules in force, as in flask rules history; 0 if there is none")

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
    if warnings := [*rules_problems(), *delivery_problems(), *job_list_problems()]:
        body["warnings"] = warnings
    return Response(json.dumps(body) + "\n", content_type="application/json")


@blueprint.get("/metrics")
def metrics() -> Response:
    """Return Prometheus text. The figures come from the inbox, so every process returns the same ones."""
    # Most processes never serve this, so the library is imported on first use.
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest  # noqa: PLC0415

    registry = CollectorRegistry()

    def gauge(name: str, text: str, value: float) -> None:
        Gauge(f"tableau_webhooks_{name}", text, registry=registry).set(value)

    started = time.perf_counter()
    version = 0
    try:
        figures = services().inbox.counts()
        version = services().inbox.rule_versions.current_id() or 0
        incidents = dict.fromkeys(INCIDENT_LABELS, 0) | services().inbox.incidents.count_open()
    except Exception as error:  # noqa: BLE001 - the metrics say that the inbox is down
        log.debug("The inbox cannot be counted: %s", error)
        figures, incidents = {}, {}
    seconds = time.perf_counter() - started
    gauge("inbox_up", "Whether the inbox can be read and written", bool(figures) and writable())
    gauge("inbox_read_seconds", "How long reading these figures took", seconds)
    for key, value in figures.items():
        gauge(*GAUGES[key], value)
    name, text = INCIDENTS_GAUGE
    labelled = Gauge(f"tableau_webhooks_{name}", text, ("kind", "state"), registry=registry)
    for (kind, state), number in incidents.items():
        labelled.labels(kind, state).set(number)
    gauge(*RULES_GAUGE, bool(rules_problems()))
    gauge(*VERSION_GAUGE, version)
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def rules_problems() -> list[str]:
    """Return why this server's rules file is not in force; empty if it is, or if that is unknown."""
    try:
        return services().active_rules.problems()
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


def job_list_problems() -> list[str]:
    """Return that Tableau's job list, which the rules need, is not read; empty if it is, or if that is unknown."""
    from webhooks.registration.job_list import CONSEQUENCE  # noqa: PLC0415 - see above

    try:
        unread = services().job_list_problems()
    except Exception as error:  # noqa: BLE001 - of any kind if the rules or the database are damaged
        log.debug("The readings of the job list are unknown: %s", error)
        return []
    return [f"Tableau's job list is not read: {CONSEQUENCE}. Run flask doctor."] if unread else []


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

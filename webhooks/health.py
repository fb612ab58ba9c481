"""GET /healthz, /readyz and /metrics: for load balancers and Prometheus; open, so they name no person or content."""

from __future__ import annotations

import time

from flask import Blueprint, Response, current_app

from webhooks import problem
from webhooks.errors import StoreUnavailable
from webhooks.services import Services

blueprint = Blueprint("health", __name__)

FRONT = """Tableau Webhooks is running.

Events come by POST to /webhook/<token>.
Is it well?             /readyz  /healthz  /metrics
What came, and why?     flask events list, flask events explain ID
"""

GAUGES = {
    "events": ("events_newest_id", "Id of the newest event; ids have gaps, so it is no number of events"),
    "unplanned": ("events_unplanned", "Events kept and not yet planned"),
    "ready": ("jobs_ready", "Jobs waiting to run, also those waiting for their next attempt"),
    "running": ("jobs_running", "Jobs running now"),
    "dead": ("jobs_dead", "Jobs that used up their attempts or met a permanent error"),
    "oldest_due": ("jobs_oldest_due_seconds", "How long the oldest due job has been waiting"),
    "newest_event": ("events_newest_timestamp_seconds", "When the newest event came"),
    "bytes": ("inbox_bytes", "Size of the inbox on disk"),
}


AWAY = (StoreUnavailable, RuntimeError)
"""The latter is what an address of no database raises, on first use."""


def answer(status: int, body: bytes, content_type: str = "application/json") -> Response:
    return Response(body, status, content_type=content_type)


@blueprint.get("/")
def front() -> Response:
    """For the person who opens the address in a browser: what this is, and where to look."""
    return answer(200, FRONT.encode(), "text/plain; charset=utf-8")


@blueprint.get("/healthz")
def alive() -> Response:
    """200 as long as the process answers."""
    return answer(200, b'{"status": "alive"}\n')


@blueprint.get("/readyz")
def ready() -> Response:
    """200 when an event could be kept and the worker takes jobs, else 503 with what is wrong."""
    services: Services = current_app.extensions["webhooks"]
    if not _writable(services):
        return answer(503, problem.problem(503, "The inbox cannot be written."), problem.CONTENT_TYPE)
    if not services.working():
        return answer(503, problem.problem(503, "The embedded worker does not run."), problem.CONTENT_TYPE)
    return answer(200, b'{"status": "ready"}\n')


@blueprint.get("/metrics")
def metrics() -> Response:
    """Prometheus text. All figures come from the inbox, so every process gives the same ones."""
    # Not before somebody asks: most processes are never asked.
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest  # noqa: PLC0415

    services: Services = current_app.extensions["webhooks"]
    registry = CollectorRegistry()

    def gauge(name: str, text: str, value: float) -> None:
        Gauge(f"tableau_webhooks_{name}", text, registry=registry).set(value)

    started = time.perf_counter()
    try:
        figures = services.inbox.counts()
    except AWAY:
        figures = {}
    seconds = time.perf_counter() - started
    up = bool(figures) and _writable(services)
    gauge("inbox_up", "Whether the inbox can be read and written", up)
    gauge("inbox_read_seconds", "How long reading these figures took", seconds)
    for key, value in figures.items():
        gauge(*GAUGES[key], value)
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _writable(services: Services) -> bool:
    try:
        services.inbox.check_writable()
    except AWAY:
        return False
    return True

"""The metrics of /metrics: their names, labels and descriptions, and the text for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import Metric

PREFIX = "tableau_webhooks_"
# The upper bounds of the acknowledgement times that are counted, in seconds; Tableau waits for 3.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0)

# The name of a counter and the values of its labels.
Key = tuple[str, ...]

# By the figures of the inbox: name and description.
GAUGES = {
    "events": ("events_newest_id", "Id of the newest event; ids have gaps, so this is not a count of events"),
    "unplanned": ("events_unplanned", "Stored events that are not planned yet"),
    "oldest_unplanned": ("events_oldest_unplanned_seconds", "How long the oldest unplanned event has been waiting"),
    "ready": ("jobs_ready", "Jobs waiting to run, including those waiting for their next attempt"),
    "running": ("jobs_running", "Running jobs"),
    "dead": ("jobs_dead", "Jobs that used up their attempts or met a permanent error"),
    "oldest_due": ("jobs_oldest_due_seconds", "How long the oldest due job has been waiting"),
    "newest_event": ("events_newest_timestamp_seconds", "When the newest event was received"),
    "bytes": ("inbox_bytes", "Size of the inbox on disk"),
    "sessions": ("tableau_sessions", "Sessions in Tableau that the processes share"),
    "unavailable": ("services_unavailable", "Services that are unavailable now, such as Slack or a site of Tableau"),
    "budgets_used": ("budgets_used", "Limits of services that are used up now"),
    "budget_wait": ("budget_wait_seconds", "How long the longest wait for a limit of a service is"),
    "drifted": ("webhooks_needing_attention", "Webhooks in Tableau that are missing, disabled or different"),
    "unseen": ("tableau_unseen_seconds", "How long it has been unknown what happens on a site; 0 while all are seen"),
    "checked_at": ("webhooks_checked_timestamp_seconds", "When all webhooks in Tableau were last compared"),
}
UP_GAUGE = ("inbox_up", "Whether the inbox can be read and written")
READ_GAUGE = ("inbox_read_seconds", "How long reading these figures took")
# The one metric that is about this server and not about the inbox.
RULES_GAUGE = ("rules_file_not_in_force", "1 if this server's rules file is not in force")
# The version of the rules in force; all servers of an inbox use the same one.
VERSION_GAUGE = ("rules_version", "The version of the rules in force, as in flask rules history; 0 if there is none")
# Only with SLACK_APP_TOKEN.
SOCKET_GAUGE = ("slack_socket_connected", "Whether a server is connected to Slack's Socket Mode")
JOBS_GAUGE = ("jobs", "Jobs that are not done, by state (ready, running, dead)")
# Acknowledged and snoozed incidents are open, too.
INCIDENTS_GAUGE = ("incidents", "Incidents that are not closed, by kind and by state (open, acknowledged, snoozed)")
SILENCED_GAUGE = ("incidents_silenced", "Incidents that are not closed and held by a silence now")
# These are always there, so that an alert has a value to compare before the first incident.
INCIDENT_KINDS = (
    "failing",
    "missed",
    "long",
    "suspended",
    "webhook",
    "certificate",
    "credential",
    "dead_letters",
    "blind",
)
INCIDENT_STATES = ("open", "acknowledged", "snoozed")

# By their names in the inbox: the labels and the description.
RECEIVED, DUPLICATES, REFUSED = "events_received", "events_duplicate", "requests_refused"
ATTEMPTS, MESSAGES, ACKNOWLEDGED = "job_attempts", "messages", "acknowledge_seconds"
COUNTERS: Mapping[str, tuple[tuple[str, ...], str]] = {
    RECEIVED: ((), "Events that were stored and answered with 200"),
    DUPLICATES: ((), "Events that were received again"),
    REFUSED: (("reason",), "Requests that were refused, by reason"),
    ATTEMPTS: (("handler", "outcome"), "Attempts at jobs, by handler and outcome (done, skipped, retry, wait, dead)"),
    MESSAGES: (
        ("notifier", "operation", "outcome"),
        "Messages, by notifier, operation (send, post, edit, reply) and outcome (sent, failed)",
    ),
}
HISTOGRAMS = {ACKNOWLEDGED: "How long requests with an event took until the response"}
# By the status of the response.
REASONS = {
    400: "malformed",
    401: "token",
    403: "web_page",
    408: "incomplete",
    413: "too_large",
    415: "encoding",
    422: "not_an_event",
    503: "unavailable",
}


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures at one time; without an inbox, only this server's. `slack_socket`: None without Socket Mode."""

    up: bool
    read_seconds: float
    rules_file_not_in_force: bool
    rules_version: int = 0
    gauges: Mapping[str, float] = field(default_factory=dict)
    incidents: Mapping[tuple[str, str], int] = field(default_factory=dict)
    silenced: int = 0
    counters: Mapping[Key, float] = field(default_factory=dict)
    slack_socket: bool | None = None


def metrics_text(figures: Figures) -> tuple[bytes, str]:
    """Return the text and its content type."""
    # Most processes never serve this, so the library is imported on first use.
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest  # noqa: PLC0415
    from prometheus_client.registry import Collector  # noqa: PLC0415

    class Figured(Collector):
        def collect(self) -> Iterator[Metric]:
            return _metrics(figures)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figured())
    return generate_latest(registry), CONTENT_TYPE_LATEST


def metric_names() -> set[str]:
    """Return the names under which Prometheus stores the metrics."""
    gauges = [
        *GAUGES.values(),
        UP_GAUGE,
        READ_GAUGE,
        RULES_GAUGE,
        VERSION_GAUGE,
        SOCKET_GAUGE,
        JOBS_GAUGE,
        INCIDENTS_GAUGE,
        SILENCED_GAUGE,
    ]
    names = {name for name, _ in gauges} | {f"{name}_total" for name in COUNTERS}
    names |= {f"{name}_{part}" for name in HISTOGRAMS for part in ("bucket", "sum", "count")}
    return {PREFIX + name for name in names}


def _metrics(figures: Figures) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415 - as above

    single = {
        UP_GAUGE: figures.up,
        READ_GAUGE: figures.read_seconds,
        **{GAUGES[key]: value for key, value in figures.gauges.items()},
        RULES_GAUGE: figures.rules_file_not_in_force,
        VERSION_GAUGE: figures.rules_version,
        **({} if figures.slack_socket is None else {SOCKET_GAUGE: figures.slack_socket}),
    }
    for (name, text), value in single.items():
        yield GaugeMetricFamily(PREFIX + name, text, value=float(value))
    if not figures.gauges:
        return
    jobs = GaugeMetricFamily(PREFIX + JOBS_GAUGE[0], JOBS_GAUGE[1], labels=["state"])
    for state in ("ready", "running", "dead"):
        jobs.add_metric([state], figures.gauges[state])
    yield jobs
    incidents = GaugeMetricFamily(PREFIX + INCIDENTS_GAUGE[0], INCIDENTS_GAUGE[1], labels=["kind", "state"])
    always = dict.fromkeys(((kind, state) for kind in INCIDENT_KINDS for state in INCIDENT_STATES), 0)
    for (kind, state), number in (always | dict(figures.incidents)).items():
        incidents.add_metric([kind, state], number)
    yield incidents
    yield GaugeMetricFamily(PREFIX + SILENCED_GAUGE[0], SILENCED_GAUGE[1], value=float(figures.silenced))
    yield from _counters(figures.counters)


def _counters(numbers: Mapping[Key, float]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily  # noqa: PLC0415 - as above

    for name, (labels, text) in COUNTERS.items():
        counter = CounterMetricFamily(PREFIX + name, text, labels=labels)
        if not labels:
            counter.add_metric([], numbers.get((name,), 0))
        if name == REFUSED:
            for reason in REASONS.values():
                counter.add_metric([reason], numbers.get((name, reason), 0))
        else:
            for key, value in sorted(numbers.items()):
                if key[0] == name and labels and len(key) == len(labels) + 1:
                    counter.add_metric(key[1:], value)
        yield counter
    for name, text in HISTOGRAMS.items():
        total, buckets = 0.0, []
        for bound in (*map(str, BUCKETS), "+Inf"):
            total += numbers.get((name, "bucket", bound), 0)
            buckets.append((bound, total))
        yield HistogramMetricFamily(PREFIX + name, text, buckets=buckets, sum_value=numbers.get((name, "sum"), 0))

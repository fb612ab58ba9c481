"""The meaning of event types: tables of Tableau's, of the server's own, and a rule for unknown ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from webhooks.spelling import closest

Severity = Literal["info", "good", "warning", "bad"]
RefreshOutcome = Literal["started", "succeeded", "failed"]

# The kinds of content a LUID can name, by the subject of an event type. A label belongs to a workbook, data source or
# other asset; only the payload's `resource` says which.
KINDS = {
    "workbook": "workbook",
    "datasource": "datasource",
    "view": "view",
    "user": "user",
    "admin": "user",
    "site": "site",
    "flow": "flow",
    "subscription": "subscription",
}
OWNED_SUBJECTS = ("workbook", "datasource", "view", "label", "flow", "subscription", "bridge", "watch")

WEBHOOKS_DRIFTED = "WebhooksDrifted"
NO_EVENTS_RECEIVED = "NoEventsReceived"
WEBHOOK_CHECK_FAILED = "WebhookCheckFailed"
CERTIFICATE_EXPIRING = "CertificateExpiring"
CREDENTIAL_EXPIRING = "CredentialExpiring"
JOB_LIST_CHECK_FAILED = "JobListCheckFailed"
DOWNTIME_ENDED = "DowntimeEnded"
SLACK_DISCONNECTED = "SlackDisconnected"
DIGEST_DUE = "DigestDue"
HEARTBEAT_DUE = "HeartbeatDue"
# The resource of its events.
HEARTBEAT_RESOURCE = "heartbeat"
TIMER_DUE = "TimerDue"

REFRESH_MISSED = "RefreshMissed"
REFRESH_RUNS_LONG = "RefreshRunsLong"
SCHEDULE_SUSPENDED = "ScheduleSuspended"

FLOW_RUN_FAILED = "FlowRunFailed"
FLOW_RUN_SUCCEEDED = "FlowRunSucceeded"
SUBSCRIPTION_FAILED = "SubscriptionFailed"
BRIDGE_REFRESH_FAILED = "BridgeRefreshFailed"

# Characters of an unknown type that are looked at.
MAX_NAME = 200
# Letters of the end of a type, such as Failed, that mean all types that end so.
MIN_END = 6
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")


@dataclass(frozen=True, slots=True)
class EventType:
    """The meaning of one event type.

    `resource` is the value that Tableau puts into the payload's field of that name, None where it is not known.
    `subject` is what the event is about (workbook, admin, label …) and `verb` what happened to it (created, failed …).
    `refresh` is the outcome if the event reports a refresh.

    Tableau has no webhook for a type that is `from_job_list`: the monitor finds these events in Tableau's job list.
    `only_by_subject`: a pattern selects the type only if it begins with its subject (`Flow*`), as the events are many
    and rarely wanted. `also_reported_as` is the type of another event about the same occurrence; a rule that selects
    both gets the other one. `advice` says what to do.
    """

    name: str
    resource: str | None
    subject: str
    verb: str
    severity: Severity = "info"
    refresh: RefreshOutcome | None = None
    title: str = ""
    from_job_list: bool = False
    only_by_subject: bool = False
    also_reported_as: str = ""
    advice: str = ""

    @property
    def kind(self) -> str | None:
        """The kind of content that `resource_luid` names; None if only the payload's `resource` can say."""
        return KINDS.get(self.subject)

    @property
    def content_gone(self) -> bool:
        """Return whether Tableau no longer has the content. A deleted label leaves its asset in place."""
        return self.verb == "deleted" and self.subject != "label"

    @property
    def happens_once(self) -> bool:
        """Return whether it happens only once to a LUID, so that its time need not be compared."""
        return self.verb in {"created", "deleted"} and self.subject != "label"

    @property
    def has_owner_and_project(self) -> bool:
        """Return whether the content belongs to an owner and a project, gone or not."""
        return self.subject in OWNED_SUBJECTS

    @property
    def published(self) -> bool:
        """Return whether the event reports a publication, so that the owner is who published it."""
        return self.verb == "created" and self.subject in {"workbook", "datasource"}

    @property
    def from_monitor(self) -> bool:
        """Return whether this is one of the monitor's own types, which Tableau never sends."""
        return self.subject == "monitor"

    @property
    def from_watch(self) -> bool:
        """Return whether a watch has found it: the kind of content is in the payload's `resource`."""
        return self.subject == "watch"

    @property
    def headline(self) -> str:
        """The event type in words, such as "Workbook refresh failed"."""
        if self.title:
            return self.title
        words = _WORD.findall(self.name[:MAX_NAME].replace("Datasource", "DataSource"))
        sentence = " ".join(word if word.isupper() and len(word) > 1 else word.lower() for word in words)
        return sentence[:1].upper() + sentence[1:] or "Event"


# https://help.tableau.com/current/developer/webhooks/en-us/docs/webhooks-events-payload.html
# Labels may also say DATASOURCE. The list has grown before, so a type that is not in it is an event, too.
_DOCUMENTED = (
    EventType("AdminPromoted", "USER", "admin", "promoted", "warning", title="Now a site administrator"),
    EventType("AdminDemoted", "USER", "admin", "demoted", "warning", title="No longer a site administrator"),
    EventType("UserDeleted", "USER", "user", "deleted", "warning"),
    EventType("DatasourceCreated", "DATASOURCE", "datasource", "created"),
    EventType("DatasourceUpdated", "DATASOURCE", "datasource", "updated"),
    EventType("DatasourceDeleted", "DATASOURCE", "datasource", "deleted", "warning"),
    EventType("DatasourceRefreshStarted", "EXTRACTS", "datasource", "started", "info", "started"),
    EventType("DatasourceRefreshSucceeded", "EXTRACTS", "datasource", "succeeded", "good", "succeeded"),
    EventType("DatasourceRefreshFailed", "EXTRACTS", "datasource", "failed", "bad", "failed"),
    EventType("LabelCreated", "WORKBOOK", "label", "created"),
    EventType("LabelUpdated", "WORKBOOK", "label", "updated"),
    EventType("LabelDeleted", "WORKBOOK", "label", "deleted", "warning"),
    EventType("SiteCreated", "SITE", "site", "created"),
    EventType("SiteUpdated", "SITE", "site", "updated"),
    EventType("SiteDeleted", "SITE", "site", "deleted", "warning"),
    EventType("ViewDeleted", "VIEW", "view", "deleted", "warning"),
    EventType("WorkbookCreated", "WORKBOOK", "workbook", "created"),
    EventType("WorkbookUpdated", "WORKBOOK", "workbook", "updated"),
    EventType("WorkbookDeleted", "WORKBOOK", "workbook", "deleted", "warning"),
    EventType("WorkbookRefreshStarted", "EXTRACTS", "workbook", "started", "info", "started"),
    EventType("WorkbookRefreshSucceeded", "EXTRACTS", "workbook", "succeeded", "good", "succeeded"),
    EventType("WorkbookRefreshFailed", "EXTRACTS", "workbook", "failed", "bad", "failed"),
)

# Found by the monitor: it stores them as events, so that they are planned and retried like all others.
_MONITOR = (
    EventType(WEBHOOKS_DRIFTED, "WEBHOOK", "monitor", "drifted", "warning"),
    EventType(NO_EVENTS_RECEIVED, "WEBHOOK", "monitor", "missed", "warning"),
    EventType(WEBHOOK_CHECK_FAILED, "WEBHOOK", "monitor", "failed", "warning"),
    EventType(CERTIFICATE_EXPIRING, "WEBHOOK", "monitor", "expiring", "warning"),
    EventType(CREDENTIAL_EXPIRING, "WEBHOOK", "monitor", "expiring", "warning"),
    EventType(JOB_LIST_CHECK_FAILED, "WEBHOOK", "monitor", "failed", "warning"),
    EventType(DOWNTIME_ENDED, "WEBHOOK", "monitor", "ended", "warning"),
    EventType(SLACK_DISCONNECTED, "WEBHOOK", "monitor", "failed", "warning"),
    # No findings, but the times of the digest and of the heartbeat.
    EventType(DIGEST_DUE, "WEBHOOK", "monitor", "due"),
    EventType(HEARTBEAT_DUE, "WEBHOOK", "monitor", "due"),
    # The time of a handler with @every.
    EventType(TIMER_DUE, "WEBHOOK", "monitor", "due"),
)

# Found by the watches: what did not happen in Tableau. The payload's `resource` says which kind of content it is about.
_WATCH = (
    EventType(REFRESH_MISSED, None, "watch", "missed", "bad"),
    EventType(REFRESH_RUNS_LONG, None, "watch", "late", "warning", title="Refresh runs too long"),
    EventType(SCHEDULE_SUSPENDED, None, "watch", "suspended", "bad", title="Schedule suspended by Tableau"),
)

# Found by the monitor in Tableau's job list, because Tableau has no webhooks for them.
_JOB_LIST = (
    EventType(
        FLOW_RUN_FAILED,
        "FLOW",
        "flow",
        "failed",
        "bad",
        from_job_list=True,
        advice="The flow's outputs are not up to date. Its run history in Tableau shows the step that failed.",
    ),
    EventType(FLOW_RUN_SUCCEEDED, "FLOW", "flow", "succeeded", "good", from_job_list=True, only_by_subject=True),
    EventType(
        SUBSCRIPTION_FAILED,
        "SUBSCRIPTION",
        "subscription",
        "failed",
        "bad",
        from_job_list=True,
        advice="The e-mail was not sent. Check that the recipient can still open the content, and that the "
        "subscription is not suspended.",
    ),
    # The refreshed content may also be a workbook; the payload's `resource` says which.
    EventType(
        BRIDGE_REFRESH_FAILED,
        "DATASOURCE",
        "bridge",
        "failed",
        "bad",
        from_job_list=True,
        also_reported_as="DatasourceRefreshFailed",
        advice="Check on the site's Bridge page that a Bridge client is connected and can reach the data.",
    ),
)

EVENT_TYPES: Mapping[str, EventType] = MappingProxyType({one.name: one for one in _DOCUMENTED})
MONITOR_EVENT_TYPES: Mapping[str, EventType] = MappingProxyType({one.name: one for one in _MONITOR})
WATCH_EVENT_TYPES: Mapping[str, EventType] = MappingProxyType({one.name: one for one in _WATCH})
JOB_LIST_EVENT_TYPES: Mapping[str, EventType] = MappingProxyType({one.name: one for one in _JOB_LIST})
# Those that rules and handlers may be about.
RULE_EVENT_TYPES: Mapping[str, EventType] = MappingProxyType({**EVENT_TYPES, **JOB_LIST_EVENT_TYPES})

_VERBS: Mapping[str, Severity] = {one.verb: one.severity for one in _DOCUMENTED}
_OUTCOMES: Mapping[str, RefreshOutcome] = {one.verb: one.refresh for one in _DOCUMENTED if one.refresh}


def meant_types(name: str) -> tuple[str, ...]:
    """Return the event types that a misspelt name probably means: `Refresh failed` all that end with `RefreshFailed`.

    Empty if none is similar.
    """
    letters = re.sub(r"[\W_]", "", name[:MAX_NAME]).casefold()
    if len(letters) >= MIN_END and (ends := [one for one in RULE_EVENT_TYPES if one.casefold().endswith(letters)]):
        return tuple(ends)
    found = closest(name, RULE_EVENT_TYPES)
    return (found,) if found else ()


def event_type(name: str) -> EventType:
    """Return what the event type means, for an unknown one as far as its words tell.

    `FlowRefreshFailed` is a failed refresh of a flow: the first word names the subject, the last one what happened.
    """
    for table in (EVENT_TYPES, JOB_LIST_EVENT_TYPES, MONITOR_EVENT_TYPES, WATCH_EVENT_TYPES):
        if name in table:
            return table[name]
    words = [word.lower() for word in _WORD.findall(name[:MAX_NAME])]
    subject, verb = (words[0], words[-1]) if words else ("", "")
    refresh = _OUTCOMES.get(verb) if words[-2:-1] == ["refresh"] else None
    kind = "workbook" if subject == "label" else KINDS.get(subject)
    resource = "EXTRACTS" if refresh else kind.upper() if kind else None
    return EventType(name, resource, subject, verb, _VERBS.get(verb, "info"), refresh)


def refresh_event_type(kind: str, outcome: RefreshOutcome) -> EventType:
    """Return the documented type of a refresh of this kind of content (`workbook` or `datasource`).

    Raises KeyError if there is none.
    """
    return _find(kind, outcome, refresh=True)


def content_event_type(kind: str, verb: str) -> EventType:
    """Return the documented type that reports `verb` (created, updated, deleted) for this kind of content.

    Raises KeyError if there is none.
    """
    return _find(kind, verb, refresh=False)


def _find(subject: str, verb: str, *, refresh: bool) -> EventType:
    for one in _DOCUMENTED:
        if (one.subject, one.verb, one.refresh is not None) == (subject, verb, refresh):
            return one
    raise KeyError(f"Tableau documents no event type for {verb!r} of {subject!r}")

"""A job is one handler run for one event. A verdict says which jobs a rule or handler plans for an event, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any, Literal

from webhooks.event import Event

# The handlers of jobs that the server plans itself, without a rule.
MONITOR_ALERT = "monitor_alert"
DEAD_LETTERS = "dead_letters"
# The checkpoint of an announcement of dead letters with the destinations that were notified, and those that were not.
ANNOUNCED_TO = "announced to"
PLANNING_FAILED = "planning_failed"
# Reports a text message that was accepted and not delivered.
UNDELIVERED = "undelivered"
DIGEST = "digest"
HEARTBEAT = "heartbeat"
# Brings the message about an incident up to date.
NOTICE = "notice"
# Brings a message that several incidents share up to date.
NOTICE_GROUP = "notice_group"
# Ends the second message of two incidents that turned out to be one.
SUPERSEDED_NOTICE = "superseded_notice"
# Carries out the press of a button in Slack, and answers the person who pressed it.
SLACK_PRESS = "slack_press"
# The same for a button of a message that several incidents share.
SLACK_GROUP_PRESS = "slack_group_press"
# Computes the incidents on which a person has acted together, by a link or in another service.
JOINT_ACT = "joint_act"
# Answers a person who replied to a text message.
SMS_REPLY = "sms_reply"
# The parameter `problem` of a press: why the press was not carried out.
UNKNOWN, CLOSED, REPEATED = "unknown", "closed", "repeated"
# Refreshes the content of an incident for a person who asked for it on a page.
REFRESH_INCIDENT = "refresh_incident"
# Their jobs belong to an incident; the event only gives them a place.
INCIDENT_HANDLERS = frozenset(
    {NOTICE, NOTICE_GROUP, SUPERSEDED_NOTICE, SLACK_PRESS, SLACK_GROUP_PRESS, JOINT_ACT, SMS_REPLY, REFRESH_INCIDENT}
)
BUILT_IN_HANDLERS = frozenset({MONITOR_ALERT, DEAD_LETTERS, PLANNING_FAILED, DIGEST, HEARTBEAT})
# What people read in place of the names of handlers that rules cannot name.
HANDLER_WORDS: Mapping[str, str] = {
    MONITOR_ALERT: "server alert",
    DEAD_LETTERS: "report of dead jobs",
    PLANNING_FAILED: "planning of the event",
    UNDELIVERED: "report of an undelivered text message",
    NOTICE: "incident message",
    NOTICE_GROUP: "shared incident message",
    SUPERSEDED_NOTICE: "second incident message",
    SLACK_PRESS: "Slack button",
    SLACK_GROUP_PRESS: "Slack button",
    JOINT_ACT: "act of a person",
    SMS_REPLY: "reply to a text message",
    REFRESH_INCIDENT: "refresh of incident",
}

VerdictKind = Literal["rule", "handler", "monitor", "reconciled", "planning"]


class JobState(IntEnum):
    """The state of a job. The numbers are stored in the database: never change one."""

    READY = 0
    RUNNING = 1
    DONE = 2
    SKIPPED = 3
    DEAD = 4
    CANCELLED = 5

    @property
    def word(self) -> str:
        """Return the state as commands and JSON write it."""
        return self.name.lower()


# Values of the filter for states: the state of an event, or of one of its jobs.
STATES = ("received", "planned", "ignored", *(state.word for state in JobState))

# Waiting because the other side asked for it costs no attempt until the job is this old.
FREE_WAITS = timedelta(days=1)

OPEN_STATES = (JobState.READY, JobState.RUNNING)

# The words for a ready job that was attempted before: whether an attempt has failed, or all of them waited on purpose.
RETRYING, WAITING = "retrying", "waiting"
# The outcomes of attempts that did not fail.
NOT_FAILED = frozenset({"released", "waiting"})


def failed_attempts(attempts: Iterable[tuple[int, str]]) -> int:
    """Return how many attempts have failed since the last replay; of each, the number and outcome, the oldest first."""
    failed = 0
    for number, outcome in attempts:
        failed = (0 if number == 1 else failed) + (outcome not in NOT_FAILED)
    return failed


def shown_state(state: JobState, attempts: int, failed: int) -> str:
    """Return the state of a job as people see it; of its attempts, as many have failed."""
    if state is not JobState.READY or not attempts:
        return state.word
    return RETRYING if failed else WAITING


# The keys of the framework's checkpoints for messages begin with this.
MESSAGE_PREFIX = "notify "


def dead_letter_subject(handler: str, params: Mapping[str, Any]) -> str:
    """Return what dead jobs have in common: the destination that cannot be notified, or else the handler."""
    to = params.get("to")
    return f"to {to}" if isinstance(to, str) and to else handler


class Namespace(StrEnum):
    """The owner of the key of a job's checkpoint. The values are in the database: never change one."""

    FRAMEWORK = "framework"
    HANDLER = "handler"


class Missing:
    """The type of MISSING."""


# Returned for a key without a checkpoint; None is a result like any other.
MISSING = Missing()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A JSON value to record for a job, so that its next attempt does not repeat a step."""

    key: str
    value: Any
    namespace: Namespace = Namespace.FRAMEWORK


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a handler in words, and the checkpoints to record together with the end of its job."""

    text: str = ""
    checkpoints: tuple[Checkpoint, ...] = ()


@dataclass(frozen=True, slots=True)
class NewJob:
    """A planned job: one handler for one event, because of one rule, or without a rule for an `@on` handler.

    `key` is unique within the event, so that planning an event twice adds no second job. `where` holds the conditions
    that only Tableau can answer (project, owner, tags); the job checks them before it runs. A person waits for the
    result of an `urgent` job.
    """

    key: str
    handler: str
    rule: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    where: Mapping[str, Any] = field(default_factory=dict)
    max_attempts: int = 20
    urgent: bool = False


def planning_failure(error: str) -> NewJob:
    """Return the job of an event that cannot be planned; it dead-letters with the error."""
    return NewJob(PLANNING_FAILED, PLANNING_FAILED, params={"error": error})


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision of one rule or handler about one event: whether it matches, why, and the jobs it plans."""

    kind: VerdictKind
    name: str
    matched: bool
    reason: str
    jobs: tuple[NewJob, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """A job as stored in the inbox, with its event. `attempts` includes the running one; times are aware and in UTC.

    `due_at` is the time from which a ready job may run, and the end of the lease of a running one.
    """

    id: int
    event: Event
    key: str
    handler: str
    rule: str | None
    params: Mapping[str, Any]
    where: Mapping[str, Any]
    state: JobState
    attempts: int
    max_attempts: int
    due_at: datetime
    owner: str | None = None
    error: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    def waits_are_free(self, now: datetime) -> bool:
        """Return whether waiting because the other side asked for it costs no attempt."""
        return now - (self.created_at or now) < FREE_WAITS

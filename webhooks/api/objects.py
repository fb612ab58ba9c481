"""The objects that the API returns, for its description; a test compares them with what is returned."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from webhooks.incidents.incident import IncidentKind, IncidentState

T = TypeVar("T")
Time = AwareDatetime | None


class Returned(BaseModel):
    """An object with all of its fields."""

    model_config = ConfigDict(extra="forbid")


class Page(Returned, Generic[T]):
    """Items, newest first, and the cursor of the next page; null after the last page."""

    items: list[T]
    next: str | None = None


class Notice(Returned):
    """The message about an incident at one destination."""

    id: int
    destination: str
    rule: str
    posted_at: Time
    updated_at: Time
    shared: bool
    channel: str | None
    message: str | None
    permalink: str | None


class Act(Returned):
    """Something that a person or a program did about an incident."""

    id: int
    kind: str
    at: AwareDatetime
    by: str
    until: Time
    text: str
    job_luid: str | None


class SilenceInForce(Returned):
    """The silence that holds the messages about an incident; `until` is null if it has to be ended."""

    id: int
    by: str
    until: Time
    reason: str


class Incident(Returned):
    """A problem with one resource, from its opening to its closing."""

    model_config = ConfigDict(extra="allow")

    id: int
    kind: IncidentKind
    state: IncidentState
    site_luid: str
    resource_luid: str
    resource_kind: str
    resource_name: str
    project: str
    owner: str
    link: str
    opened_at: AwareDatetime
    closed_at: Time
    failures: int
    in_a_row: int
    reason: str
    reason_class: str | None
    acknowledged_by: str | None
    acknowledged_until: Time
    silence: SilenceInForce | None
    notices: list[Notice]
    acts: list[Act]


class TimelineEntry(Returned):
    """Something that happened about an incident."""

    at: AwareDatetime
    kind: str
    text: str


class Unsent(Returned):
    """The reason that a destination was not notified."""

    destination: str | None
    reason: str


class IncidentStory(Incident):
    """An incident with everything that happened."""

    timeline: list[TimelineEntry]
    unsent: list[Unsent]


class Refreshes(Returned):
    """The number of runs since midnight by outcome."""

    model_config = ConfigDict(extra="allow")

    since: AwareDatetime


class Webhooks(Returned):
    """The state of this server's webhooks in Tableau, as the monitor last saw them."""

    state: str
    text: str
    checked_at: Time


class UnavailableService(Returned):
    """A service that accepts no messages, and how many messages wait for it; `uncertain` of them may have arrived."""

    service: str
    since: AwareDatetime
    waiting: int
    uncertain: int


class Status(Returned):
    """The open incidents, and figures."""

    at: AwareDatetime
    open: int
    acknowledged: int
    snoozed: int
    refreshes: Refreshes
    webhooks: Webhooks
    unavailable_services: list[UnavailableService] | None
    dead_letters: int | None
    incidents: list[Incident]


class Attempt(Returned):
    """One execution of a job."""

    replays: int
    number: int
    worker: str
    started_at: AwareDatetime
    finished_at: AwareDatetime
    outcome: str
    error: str | None


class Job(Returned):
    """An action about an event."""

    model_config = ConfigDict(extra="allow")

    id: int
    rule: str | None
    handler: str
    key: str
    state: str
    attempts: int
    max_attempts: int
    due_at: Time
    error: str | None
    result: str | None
    params: dict[str, Any]
    attempts_made: list[Attempt]


class Event(Returned):
    """A webhook request as it was received; the values of the payload may have any type."""

    model_config = ConfigDict(extra="allow")

    id: int
    event_type: str
    received_at: AwareDatetime
    state: str
    duplicates: int
    rules_version: int | None
    payload: dict[str, Any]
    jobs: list[Job]


class Run(Returned):
    """One refresh of a workbook, data source or flow."""

    site_luid: str
    resource_luid: str
    resource_kind: str
    resource_name: str
    started_at: Time
    ended_at: Time
    outcome: str
    reason: str
    reason_class: str | None
    job_luid: str | None
    event_ids: list[int]


class DeadLetters(Returned):
    """Dead jobs with the same handler, rule and error, among the newest dead jobs."""

    handler: str
    rule: str | None
    error: str
    number: int
    last_at: Time
    ids: list[int] = Field(description="ids of the jobs, for their replay or dismissal")
    event_ids: list[int]


class Silence(Returned):
    """A period in which nothing is sent about some incidents."""

    id: int
    state: str
    matchers: dict[str, list[str]]
    start: AwareDatetime
    end: Time
    weekly: dict[str, Any] | None
    by: str
    reason: str
    incidents: list[int] = Field(description="numbers of the open incidents that it matches")


class RuleVersion(Returned):
    """A version of the rules; the newest one is in force."""

    id: int
    digest: str
    source: str
    activated_at: AwareDatetime


class AuditEntry(Returned):
    """Something that a person or a program did."""

    id: int
    at: AwareDatetime
    by: str
    origin: str
    act: str
    subject: str
    details: str
    digest: str


class Done(Returned):
    """The number of the object that was acted on."""

    id: int


class Counted(Returned):
    """The number of objects that were acted on."""

    number: int


class Problem(BaseModel):
    """The error in a request, https://www.rfc-editor.org/rfc/rfc9457."""

    type: str
    title: str
    status: int
    detail: str

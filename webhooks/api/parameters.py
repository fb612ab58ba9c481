"""The query parameters and bodies of the API's operations; unknown names are refused."""

from __future__ import annotations

import re
from datetime import time
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from webhooks.inbox.events.lists import MAX_DEAD
from webhooks.incidents.evidence import ResourceKind
from webhooks.incidents.incident import IncidentKind, IncidentState
from webhooks.incidents.silences import MATCHERS

MAX_PAGE = 200
MAX_NOTE = 1000
MAX_REASON = 300
TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d.*")


def _require_iso(value: Any) -> Any:
    """Return the value. Raises ValueError for a number, which pydantic would take for a time since 1970."""
    if value is not None and not (isinstance(value, str) and TIME.fullmatch(value)):
        raise ValueError("it should be a time with a zone, such as 2026-01-31T08:00:00Z")
    return value


def _require_number(value: Any) -> Any:
    """Return the value. Raises ValueError for a text or a boolean; 1.0 is a whole number in JSON."""
    if isinstance(value, bool | str):
        raise ValueError("it should be a whole number")  # noqa: TRY004 - pydantic reports a ValueError only
    return value


Time = Annotated[AwareDatetime, BeforeValidator(_require_iso)]
# A NUL character is in no stored text, and PostgreSQL refuses it.
Text = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]
Texts = Annotated[list[Text], Field(max_length=20)]
Note = Annotated[str, StringConstraints(max_length=MAX_NOTE, strip_whitespace=True, pattern=r"^[^\x00]*$")]
EventState = Literal["received", "planned", "ignored", "ready", "running", "done", "skipped", "dead", "cancelled"]
OpenState = Literal["open", "acknowledged", "snoozed"]
JobId = Annotated[int, Field(ge=1, le=2**63 - 1), BeforeValidator(_require_number)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Matcher = Literal["site", "project", "path", "resource_name", "resource_luid", "kind", "reason_class", "tags"]


class Parameters(BaseModel):
    """The parameters of an operation without any."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PageQuery(Parameters):
    """A page of a list."""

    cursor: str = Field("", max_length=100, description="`next` of the page before; empty for the first page")
    limit: int = Field(50, ge=1, le=MAX_PAGE, description="the number of items of a page")


class IncidentsQuery(PageQuery):
    """Filters for incidents; of several values of one parameter, one has to match."""

    state: list[IncidentState] = Field(default_factory=list, examples=[["open", "acknowledged"]])
    kind: list[IncidentKind] = Field(default_factory=list, examples=[["failing"]])
    resource: Texts = Field(default_factory=list, description="LUID, or name with * and ?")
    project: Texts = Field(default_factory=list, description="project or its path, with * and ?")
    owner: Texts = Field(default_factory=list, description="name or e-mail address, with * and ?")
    since: Time | None = Field(None, description="leave out those that were closed before")


class EventsQuery(PageQuery):
    """Filters for events; of several values of one parameter, one has to match."""

    type: Texts = Field(default_factory=list, description="event type", examples=[["WorkbookRefreshFailed"]])
    resource: Texts = Field(default_factory=list, description="LUID, or name with * and ?")
    state: list[EventState] = Field(
        default_factory=list, description="state of the event or of one of its jobs", examples=[["dead"]]
    )
    since: Time | None = Field(
        None, description="leave out those that were received before", examples=["2026-01-31T08:00:00+01:00"]
    )


class RunsQuery(PageQuery):
    """Filters for runs."""

    resource_luid: Text = ""
    since: Time | None = Field(None, description="leave out those that ended before")


class ResourcesQuery(PageQuery):
    """Filters for resources; of several values of one parameter, one has to match."""

    # It has the name by which the list is sorted.
    cursor: str = Field("", max_length=2000, description="`next` of the page before; empty for the first page")
    name: Texts = Field(default_factory=list, description="name with * and ?", examples=[["Month*"]])
    project: Texts = Field(default_factory=list, description="project or its path, with * and ?")
    owner: Texts = Field(default_factory=list, description="name or e-mail address, with * and ?")
    kind: list[ResourceKind] = Field(default_factory=list)
    state: list[OpenState] = Field(default_factory=list, description="state of an open incident of the resource")


class AuditQuery(PageQuery):
    """Filters for the audit log."""

    subject: Text = Field("", description="what the act was about", examples=["incident 14"])


class NoteBody(Parameters):
    """An optional note."""

    note: Note = Field("", examples=["waiting for the DBA"])


class TextBody(Parameters):
    """A note that says something."""

    note: Annotated[Note, Field(min_length=1, examples=["the disk is full"])]


class AcknowledgeBody(NoteBody):
    """Until when there are no reminders; without an end until the incident closes."""

    until: Time | None = None


class SnoozeBody(NoteBody):
    """Until when there are no reminders."""

    until: Time = Field(examples=["2027-01-31T08:00:00Z"])


class JobsBody(Parameters):
    """Dead jobs by their ids, which the list of dead letters has."""

    ids: Annotated[list[JobId], Field(min_length=1, max_length=MAX_DEAD, examples=[[77, 78]])]


class WeeklyBody(Parameters):
    """Times of each week in TIMEZONE; without days every day."""

    start: time = Field(alias="from")
    end: time = Field(alias="to")
    days: list[Day] = Field(default_factory=list)


class SilenceBody(Parameters):
    """A silence: incidents that match all of `matchers` are not notified in its period."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "anyOf": [
                {"required": ["end"], "properties": {"end": {"type": "string"}}},
                {"required": ["weekly"], "properties": {"weekly": {"type": "object"}}},
            ]
        },
    )

    matchers: dict[Matcher, Texts] = Field(
        description=f"patterns by field: {', '.join(MATCHERS)}; {{}} matches all",
        examples=[{"project": ["Finance*"], "kind": ["failing"]}],
    )
    reason: Annotated[
        str, StringConstraints(min_length=1, max_length=MAX_REASON, strip_whitespace=True, pattern=r"^[^\x00]*$")
    ] = Field(examples=["upgrade of the warehouse"])
    start: Time | None = Field(None, description="now, if it is left out")
    end: Time | None = Field(
        None, description="needed unless there are weekly times", examples=["2027-01-31T08:00:00Z"]
    )
    weekly: WeeklyBody | None = None

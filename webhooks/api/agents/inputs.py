"""The arguments of the tools that agents may call."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from webhooks.api.call import LARGEST_ID
from webhooks.api.parameters import Note, Parameters, Text, Time

Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]


class WhatsWrongInput(Parameters):
    """The open incidents to show."""

    project: Text = Field("", description="project or its path, with * and ?")
    after: Id | None = Field(None, description="`next` of the answer before")


class IncidentInput(Parameters):
    """The incident to show."""

    id: Id


class ResourceInput(Parameters):
    """The workbook, data source or flow to show."""

    name: Text = Field(min_length=1, description="name with * and ?, or LUID")


class FreshnessInput(Parameters):
    """The content to show."""

    project: Text = Field("", description="project or its path, with * and ?")
    name: Text = Field("", description="name, with * and ?")
    after: Text = Field("", description="`next` of the answer before")


class ExplainInput(Parameters):
    """The event to explain."""

    event: Id


class SearchInput(Parameters):
    """Filters for events."""

    type: Text = Field("", description="event type, such as WorkbookRefreshFailed or Workbook*")
    resource: Text = Field("", description="name with * and ?, or LUID")
    state: Text = Field("", description="such as dead (a job has failed for good) or running")
    since: Time | None = None
    before: Id | None = Field(None, description="`next` of the answer before")


class AcknowledgeInput(Parameters):
    """The incident, and a note on who does what."""

    id: Id
    note: Note = ""


class SnoozeInput(Parameters):
    """The incident, and the length of the pause."""

    id: Id
    hours: float = Field(gt=0, le=24 * 30)


class SilenceInput(Parameters):
    """Content about which nothing is sent for some hours."""

    project: Text = ""
    name: Text = ""
    hours: float = Field(gt=0, le=24 * 30)
    reason: Annotated[Note, Field(min_length=1, max_length=300)]

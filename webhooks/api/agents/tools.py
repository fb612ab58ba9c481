"""The tools that agents may call, with their acts; the module `questions` has the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from webhooks.access.visitors import Role, permits
from webhooks.api import acts
from webhooks.api.agents.answers import incident_summary, write
from webhooks.api.agents.inputs import (
    AcknowledgeInput,
    ExplainInput,
    FreshnessInput,
    IncidentInput,
    ResourceInput,
    SearchInput,
    SilenceInput,
    SnoozeInput,
    WhatsWrongInput,
)
from webhooks.api.agents.questions import (
    explain,
    freshness,
    incident,
    resource,
    search_events,
    webhooks_health,
    whats_wrong,
)
from webhooks.api.call import Call, Refused
from webhooks.api.parameters import AcknowledgeBody, Parameters, SilenceBody, SnoozeBody
from webhooks.api.reads import get_incident
from webhooks.text import count


def acknowledge(call: Call, query: AcknowledgeInput) -> str:
    """Acknowledge an incident for the person who asks: no reminders and no escalations until it closes."""
    acts.acknowledge(call, AcknowledgeBody(note=query.note), query.id)
    return write(call, incident_summary(call, get_incident(call, query.id)))


def snooze(call: Call, query: SnoozeInput) -> str:
    """Snooze an incident: no reminders for some hours."""
    acts.snooze(call, SnoozeBody(until=_in(call, query.hours)), query.id)
    return write(call, incident_summary(call, get_incident(call, query.id)))


def refresh_again(call: Call, query: IncidentInput) -> str:
    """Start the refresh of an incident's content in Tableau."""
    acts.refresh(call, Parameters(), query.id)
    return write(call, {"started": True, "incident": query.id, "next": "Call incident in a minute for the result."})


def silence(call: Call, query: SilenceInput) -> str:
    """Send nothing about some content for some hours; its incidents stay visible."""
    matchers = {"project": [query.project], "resource_name": [query.name]}
    given: Any = {field: patterns for field, patterns in matchers.items() if patterns[0]}
    if not given:
        raise Refused(422, "Give a project or a name; everything can be silenced on the pages only.")
    found = acts.add_silence(call, SilenceBody(matchers=given, reason=query.reason, end=_in(call, query.hours)))
    matched = count(len(found["incidents"]), "open incident")
    return write(call, {"silence": found["id"], "until": found["end"], "matches": matched})


def _in(call: Call, hours: float) -> Any:
    """Return the time after some hours, as a body contains it."""
    return (call.now + timedelta(hours=hours)).isoformat()


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool; `writes` is whether it changes something. One for `everything` is about the server as a whole."""

    name: str
    run: Callable[..., str]
    takes: type[Parameters]
    role: Role = "viewer"
    everything: bool = False
    # The act of webhooks.access.permissions that it does.
    act: str = ""

    @property
    def writes(self) -> bool:
        """Return whether the tool changes something."""
        return self.role != "viewer"

    def is_for(self, call: Call) -> bool:
        """Return whether the visitor may use the tool."""
        return permits(call.visitor.role, self.role) and (call.sees_everything or not self.everything)

    def refusal(self, call: Call) -> str:
        """Return why the visitor may not use the tool."""
        person = call.visitor
        if not permits(person.role, self.role):
            return f"The role of {person.name} is {person.role}; the tool {self.name} needs the role {self.role}."
        return f"The tool {self.name} needs a role that is not limited to sites or projects, as {person.name} is."

    def as_object(self) -> dict[str, Any]:
        """Return the tool as lists of tools have it."""
        schema = self.takes.model_json_schema()
        hints = {"readOnlyHint": not self.writes, "destructiveHint": False, "openWorldHint": False}
        description = " ".join((self.run.__doc__ or "").split())
        return {"name": self.name, "description": description, "inputSchema": schema, "annotations": hints}


TOOLS: tuple[Tool, ...] = (
    Tool("whats_wrong", whats_wrong, WhatsWrongInput),
    Tool("incident", incident, IncidentInput),
    Tool("resource", resource, ResourceInput),
    Tool("freshness", freshness, FreshnessInput),
    Tool("explain", explain, ExplainInput),
    Tool("webhooks_health", webhooks_health, Parameters, everything=True),
    Tool("search_events", search_events, SearchInput),
    Tool("acknowledge", acknowledge, AcknowledgeInput, "operator", act="acknowledge"),
    Tool("snooze", snooze, SnoozeInput, "operator", act="snooze"),
    Tool("refresh_again", refresh_again, IncidentInput, "operator", act="refresh"),
    Tool("silence", silence, SilenceInput, "operator", act="add silence"),
)

"""The table of the API's operations: path, role, parameters, and the function that responds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from webhooks.access.visitors import Role
from webhooks.api import acts, dead_letters, objects, parameters, reads, resource_objects, resources


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `parameters` describes the query of a GET, or the body of a POST.

    `run` is called with the call, the parameters, and the number or LUID in the path if there is one. `does` is the act
    of webhooks.access.permissions that a POST does, if that is not its name.
    """

    name: str
    method: Literal["GET", "POST"]
    path: str
    role: Role
    run: Callable[..., dict[str, Any]]
    returns: type[BaseModel]
    parameters: type[parameters.Parameters] = parameters.Parameters
    does: str = ""

    @property
    def summary(self) -> str:
        """The first sentence of the function's documentation."""
        return (self.run.__doc__ or "").strip().split("\n")[0]

    @property
    def act(self) -> str:
        """The act of webhooks.access.permissions that it does; empty for a read."""
        return (self.does or self.name.replace("_", " ")) if self.method == "POST" else ""

    @property
    def has_number(self) -> bool:
        """Return whether the path contains a number."""
        return "<number>" in self.path

    @property
    def has_luid(self) -> bool:
        """Return whether the path contains a LUID."""
        return "<luid>" in self.path

    @property
    def names_objects(self) -> bool:
        """Return whether a request names objects that may not exist."""
        return self.has_number or self.has_luid or "ids" in self.parameters.model_fields

    @property
    def path_template(self) -> str:
        """The path as OpenAPI writes it."""
        return self.path.replace("<", "{").replace(">", "}")

    @property
    def is_list(self) -> bool:
        """Return whether the result is a page of items."""
        return issubclass(self.returns, objects.Page)


OPERATIONS: tuple[Operation, ...] = (
    Operation("status", "GET", "/status", "viewer", reads.status, objects.Status),
    Operation(
        "list_incidents",
        "GET",
        "/incidents",
        "viewer",
        reads.incidents,
        objects.Page[objects.Incident],
        parameters.IncidentsQuery,
    ),
    Operation("get_incident", "GET", "/incidents/<number>", "viewer", reads.incident, objects.IncidentStory),
    Operation(
        "acknowledge",
        "POST",
        "/incidents/<number>/acknowledge",
        "operator",
        acts.acknowledge,
        objects.IncidentStory,
        parameters.AcknowledgeBody,
    ),
    Operation(
        "snooze",
        "POST",
        "/incidents/<number>/snooze",
        "operator",
        acts.snooze,
        objects.IncidentStory,
        parameters.SnoozeBody,
    ),
    Operation(
        "close",
        "POST",
        "/incidents/<number>/close",
        "operator",
        acts.close,
        objects.IncidentStory,
        parameters.NoteBody,
    ),
    Operation(
        "note", "POST", "/incidents/<number>/note", "operator", acts.note, objects.IncidentStory, parameters.TextBody
    ),
    Operation("refresh", "POST", "/incidents/<number>/refresh", "operator", acts.refresh, objects.Done),
    Operation(
        "list_events", "GET", "/events", "viewer", reads.events, objects.Page[objects.Event], parameters.EventsQuery
    ),
    Operation("get_event", "GET", "/events/<number>", "viewer", reads.event, objects.Event),
    Operation("replay", "POST", "/events/<number>/replay", "operator", acts.replay, objects.Done),
    Operation(
        "list_dead_letters",
        "GET",
        "/dead-letters",
        "viewer",
        dead_letters.causes,
        objects.Page[objects.DeadLetters],
        parameters.PageQuery,
    ),
    Operation(
        "replay_dead_letters",
        "POST",
        "/dead-letters/replay",
        "operator",
        dead_letters.replay,
        objects.Counted,
        parameters.JobsBody,
        does="replay",
    ),
    Operation(
        "dismiss_dead_letters",
        "POST",
        "/dead-letters/dismiss",
        "operator",
        dead_letters.dismiss,
        objects.Counted,
        parameters.JobsBody,
        does="dismiss",
    ),
    Operation(
        "list_resources",
        "GET",
        "/resources",
        "viewer",
        resources.resources,
        objects.Page[resource_objects.Resource],
        parameters.ResourcesQuery,
    ),
    Operation("get_resource", "GET", "/resources/<luid>", "viewer", resources.resource, resource_objects.ResourceStory),
    Operation("list_runs", "GET", "/runs", "viewer", reads.runs, objects.Page[objects.Run], parameters.RunsQuery),
    Operation(
        "list_silences",
        "GET",
        "/silences",
        "viewer",
        reads.silences,
        objects.Page[objects.Silence],
        parameters.PageQuery,
    ),
    Operation(
        "add_silence", "POST", "/silences", "operator", acts.add_silence, objects.Silence, parameters.SilenceBody
    ),
    Operation("end_silence", "POST", "/silences/<number>/end", "operator", acts.end_silence, objects.Done),
    Operation(
        "list_rule_versions", "GET", "/rules/versions", "viewer", reads.rule_versions, objects.Page[objects.RuleVersion]
    ),
    Operation(
        "list_audit", "GET", "/audit", "admin", reads.audit, objects.Page[objects.AuditEntry], parameters.AuditQuery
    ),
)

"""The blueprint of the API. Nothing else is imported until there is a request."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from flask import Blueprint, Response

if TYPE_CHECKING:
    from webhooks.services import Services

PREFIX = "/api/v1"
# By method and path; `operations` has the rest, and a test compares both.
ROUTES = (
    ("status", "GET", "/status"),
    ("list_incidents", "GET", "/incidents"),
    ("get_incident", "GET", "/incidents/<number>"),
    ("acknowledge", "POST", "/incidents/<number>/acknowledge"),
    ("snooze", "POST", "/incidents/<number>/snooze"),
    ("close", "POST", "/incidents/<number>/close"),
    ("note", "POST", "/incidents/<number>/note"),
    ("refresh", "POST", "/incidents/<number>/refresh"),
    ("list_events", "GET", "/events"),
    ("get_event", "GET", "/events/<number>"),
    ("replay", "POST", "/events/<number>/replay"),
    ("list_dead_letters", "GET", "/dead-letters"),
    ("replay_dead_letters", "POST", "/dead-letters/replay"),
    ("dismiss_dead_letters", "POST", "/dead-letters/dismiss"),
    ("list_resources", "GET", "/resources"),
    ("get_resource", "GET", "/resources/<luid>"),
    ("list_runs", "GET", "/runs"),
    ("list_silences", "GET", "/silences"),
    ("add_silence", "POST", "/silences"),
    ("end_silence", "POST", "/silences/<number>/end"),
    ("list_rule_versions", "GET", "/rules/versions"),
    ("list_audit", "GET", "/audit"),
)


def create_blueprint(services: Services) -> Blueprint:
    """Return the blueprint. It has no hooks: access is checked by each view."""
    blueprint = Blueprint("api", __name__, url_prefix=PREFIX)
    for name, method, path in ROUTES:
        view = partial(_respond, services, name)
        blueprint.add_url_rule(path, name, view, methods=[method], provide_automatic_options=False)
        if name.startswith("list_"):
            as_csv = partial(_respond, services, name, as_csv=True)
            blueprint.add_url_rule(
                f"{path}.csv", f"{name}_csv", as_csv, methods=[method], provide_automatic_options=False
            )
    blueprint.add_url_rule(
        "/openapi.json", "openapi", partial(_describe, services), methods=["GET"], provide_automatic_options=False
    )
    return blueprint


def create_agents_blueprint(services: Services) -> Blueprint:
    """Return the blueprint of the endpoint for agents, which is called by the Model Context Protocol."""
    blueprint = Blueprint("agents", __name__)
    view = partial(_respond_to_agent, services)
    blueprint.add_url_rule("/mcp", "mcp", view, methods=["POST"], provide_automatic_options=False)
    return blueprint


def _respond(services: Services, name: str, *, as_csv: bool = False, **place: str) -> Response:
    """Respond to an operation; `place` has the number or LUID in the path, if there is one."""
    from webhooks.api.operations import OPERATIONS  # noqa: PLC0415 - its models take memory; most servers never need it
    from webhooks.api.serving import respond  # noqa: PLC0415 - as above

    operation = next(one for one in OPERATIONS if one.name == name)
    return respond(services, operation, **place, as_csv=as_csv)


def _describe(services: Services) -> Response:
    from webhooks.api.openapi import respond  # noqa: PLC0415 - as above

    return respond(services)


def _respond_to_agent(services: Services) -> Response:
    from webhooks.api.agents.endpoint import respond  # noqa: PLC0415 - as above

    return respond(services)

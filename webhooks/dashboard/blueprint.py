"""The blueprint of the pages. Nothing is imported for a page until one is asked for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response

from webhooks.dashboard.routes import ROUTES, Route

if TYPE_CHECKING:
    from webhooks.services import Services


def create_blueprint(services: Services) -> Blueprint:
    """Return the blueprint. It has no hooks: access and headers are part of the views, see `serving`."""
    blueprint = Blueprint("pages", __name__)
    for route in ROUTES:
        view = partial(serve, services, route)
        blueprint.add_url_rule(
            route.path, route.endpoint, view, methods=[route.method], provide_automatic_options=False
        )
    return blueprint


def serve(services: Services, route: Route, **parts: Any) -> Response:
    """Return the response of a page; `parts` are the variable parts of its path."""
    from webhooks.dashboard.serving import respond  # noqa: PLC0415 - with templates it takes memory; most never need it

    return respond(services, route, parts)

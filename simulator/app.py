"""Builds a simulator: one world behind one Flask application."""

import os
import sys

import click
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from simulator import fault_injection, slack, tableau, twilio
from simulator.config import VARIABLES, Config, from_environment
from simulator.control.content_card import browse
from simulator.control.http_api import control
from simulator.control.page import page
from simulator.tableau.wire import ApiError, error_response
from simulator.world.world import World


def create_app(config: Config | None = None) -> Flask:
    """A simulator as an application, to be served or called; its world is `app.extensions["simulator"]`.

    Without a configuration the environment is asked, and the credentials it does not have are made up; they are printed
    with our addresses, as a server needs them.
    """
    if config is None:
        config, made_up = from_environment(os.environ)
        announce(_addresses(config) | made_up)
    app = Flask(__name__, template_folder="control/templates", static_folder="control/static")
    app.json.sort_keys = False  # type: ignore[attr-defined]
    world = World(config)
    app.extensions["simulator"] = world
    fault_injection.register(app, world)
    for side in (tableau, slack, twilio):
        side.register(app)
    app.register_blueprint(control)
    app.register_blueprint(page)
    app.register_blueprint(browse)
    app.register_error_handler(ApiError, error_response)
    app.register_error_handler(HTTPException, _no_such)
    return app


def announce(variables: dict[str, str]) -> None:
    """Print what a server beside us needs and does not share with us, in the form of an .env file."""
    if variables:
        print("A server works against this simulator with these in its .env, besides what our own environment has:")
        print("\n".join(f"  {name}={value}" for name, value in variables.items()), flush=True)


def _addresses(config: Config) -> dict[str, str]:
    """Where we will be, as far as `flask run` was told."""
    context = click.get_current_context(silent=True)
    if context is None or not context.params.get("port"):
        return {}
    url = f"http://{context.params['host']}:{context.params['port']}"
    return {name: value for name, value in config.environment(url).items() if name not in VARIABLES}


def _no_such(error: HTTPException) -> Response | HTTPException:
    """Below /api an unknown address or method is refused in Tableau's words."""
    if not request.path.startswith("/api/"):
        return error
    if error.code == 405:
        return error_response(ApiError("405000", f"Request type {request.method} is not allowed on this resource."))
    if error.code == 404:
        return error_response(ApiError("404003", f"{request.path} is not a resource of this API."))
    print(f"simulator: {error}", file=sys.stderr)
    return error

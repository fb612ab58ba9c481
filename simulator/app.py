"""Create the Flask application of a simulator, with its world behind it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from simulator import fault_injection, receivers, slack, tableau, twilio
from simulator.config import VARIABLES, Config, from_environment
from simulator.control.content_card import content_card
from simulator.control.http_api import control
from simulator.control.page import page
from simulator.env_file import env_file_warning
from simulator.tableau.wire import ApiError, error_response
from simulator.twilio.account import TwilioError
from simulator.twilio.api import error_response as twilio_error
from simulator.world.world import World


def create_app(config: Config | None = None) -> Flask:
    """Return a simulator as an application; its world is `app.extensions["simulator"]`.

    Without a configuration it is read from the environment, and the settings that a server needs are printed.
    """
    if config is None:
        config, defaults = from_environment(os.environ)
        if warning := env_file_warning(Path.cwd()):
            print(warning, file=sys.stderr, flush=True)
        print_server_settings(_addresses(config) | defaults)
    app = Flask(__name__, template_folder="control/templates", static_folder="control/static")
    app.json.sort_keys = False  # type: ignore[attr-defined]
    world = World(config)
    app.extensions["simulator"] = world
    fault_injection.register(app, world)
    for vendor in (tableau, slack, twilio, receivers):
        vendor.register(app)
    app.register_blueprint(control)
    app.register_blueprint(page)
    app.register_blueprint(content_card)
    app.register_error_handler(ApiError, error_response)
    app.register_error_handler(HTTPException, handle_http_error)
    return app


def print_server_settings(settings: dict[str, str]) -> None:
    """Print the settings that a server needs and the environment lacks, in the format of a .env file."""
    if settings:
        print("Settings for a server that uses this simulator (.env):\n")
        print("\n".join(f"  {name}={value}" for name, value in settings.items()), end="\n\n", flush=True)


def _addresses(config: Config) -> dict[str, str]:
    """Return the addresses of the simulator, as far as the options of `flask run` give them."""
    context = click.get_current_context(silent=True)
    if context is None or not context.params.get("port"):
        return {}
    url = f"http://{context.params['host']}:{context.params['port']}"
    return {name: value for name, value in config.environment(url).items() if name not in VARIABLES}


def handle_http_error(error: HTTPException) -> Response | HTTPException:
    """Return the vendor's error for an unknown address or method of Tableau or Twilio, and other errors unchanged."""
    # What is missing here may well exist at the vendor.
    lacking = f"The simulator does not support {request.method} {request.path}."
    if request.path.startswith("/twilio/") and error.code in {404, 405}:
        return twilio_error(TwilioError(20404 if error.code == 404 else 20004, lacking, error.code))
    if not request.path.startswith("/api/"):
        return error
    if error.code == 405:
        return error_response(ApiError("405000", lacking))
    if error.code == 404:
        return error_response(ApiError("404003", lacking))
    print(f"simulator: {error}", file=sys.stderr)
    return error

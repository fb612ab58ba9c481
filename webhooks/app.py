"""create_app(settings): builds, wires, registers. Nothing else."""

from __future__ import annotations

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.serving import is_running_from_reloader

from webhooks import cli, health, logs, receiver
from webhooks.services import Services
from webhooks.settings import Settings, from_command_line


def create_app(settings: Settings | None = None) -> Flask:
    """The application. Without `settings` they are read from the environment and `.env`.

    Raises RuntimeError that names everything missing for the chosen sign-in to Tableau, except under the `flask`
    command, most of whose commands need none of it.
    """
    settings = settings or Settings.read()
    logs.configure(debug=settings.flask_env == "development", secrets=settings.secrets())
    app = Flask("webhooks", static_folder=None)
    services = app.extensions["webhooks"] = Services(settings)
    if not from_command_line():
        settings.require_tableau()
        services.rules  # noqa: B018 — a broken rules file stops the start, not the first event
    app.register_blueprint(receiver.blueprint)
    app.register_blueprint(health.blueprint)
    app.register_error_handler(HTTPException, receiver.http_problem)
    app.register_error_handler(Exception, receiver.unexpected)
    cli.register(app)
    return app


def develop(app: Flask) -> None:
    """The development server: reloads when the code changes, runs the worker in the process that serves."""
    services: Services = app.extensions["webhooks"]
    if is_running_from_reloader():
        services.start_worker()
    app.run(services.settings.host, services.settings.port, use_reloader=True, threaded=True)

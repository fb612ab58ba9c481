"""create_app(settings): builds, wires, registers. Nothing else."""

from __future__ import annotations

import logging

from click import ClickException
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import is_running_from_reloader

from webhooks import cli, health, logs, problem
from webhooks.cli.support import demo_settings
from webhooks.config.environment import require_free_address
from webhooks.config.settings import Settings, is_flask_command, load_environment, misspelt_variables
from webhooks.receiver import Receiver
from webhooks.registry import RegistrationError
from webhooks.rules import RulesError
from webhooks.services import Services

log = logging.getLogger(__name__)


def create_app(settings: Settings | None = None) -> Flask:
    """The application. Without `settings` they are read from the environment and `.env`.

    Raises RuntimeError that names everything missing for the chosen sign-in to Tableau, or every fault of the rules
    file, except under the `flask` command, most of whose commands need none of it.
    """
    settings = settings or _read_settings()
    logs.configure(debug=settings.flask_env == "development", secrets=settings.secrets())
    app = Flask("webhooks", static_folder=None)
    services = app.extensions["webhooks"] = Services(settings)
    if not is_flask_command():
        _require_fit(services)
    app.register_blueprint(health.blueprint)
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(Exception, _failed)
    cli.register(app)
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/webhook": Receiver(services)})  # type: ignore[method-assign]
    return app


def develop(app: Flask) -> None:
    """The development server: reloads when the code changes, runs the worker in the process that serves."""
    services: Services = app.extensions["webhooks"]
    if is_running_from_reloader():
        services.start_worker()
    host, port = services.settings.host, services.settings.port
    if not is_running_from_reloader():
        require_free_address(host, port)
    # The settings are read already; Flask would add the env file to the environment in its own way.
    app.run(host, port, use_reloader=True, threaded=True, load_dotenv=False)


def _read_settings() -> Settings:
    """The settings; under the `flask` command a fault in them is a sentence and no traceback."""
    if not is_flask_command():
        load_environment()
        return Settings.read()
    try:
        load_environment()
        return demo_settings.read()
    except RuntimeError as error:
        raise ClickException(str(error)) from None


def _require_fit(services: Services) -> None:
    """Stops a start that could not end well, rather than the first event; says what is probably not meant.

    Raises RuntimeError, of which gunicorn shows the sentence without a traceback.
    """
    services.settings.require_tableau()
    services.settings.require_durable()
    try:
        warnings = [
            *misspelt_variables(),
            *services.rules.warnings,
            *(f"handler {one}" for one in services.registry.warnings()),
        ]
    except (RulesError, RegistrationError) as error:
        raise RuntimeError(str(error)) from error
    if not services.tokens:
        warnings.append("WEBHOOK_TOKEN is empty: whoever knows the address may send events")
    for warning in warnings:
        log.warning("%s", warning)


def _refused(error: HTTPException) -> Response:
    """Flask's own refusals (404, 405 …) as problems, with their headers, such as Allow."""
    status = error.code or 500
    headers = {name: value for name, value in error.get_headers() if name.lower() != "content-type"}
    return Response(
        problem.problem(status, error.description or ""), status, headers, content_type=problem.CONTENT_TYPE
    )


def _failed(error: Exception) -> Response:
    """A mistake of ours: logged whole, told to nobody."""
    log.error("%s %s failed", request.method, request.endpoint, exc_info=error)
    body = problem.problem(500, "An error inside the server; its log has the details.")
    return Response(body, 500, content_type=problem.CONTENT_TYPE)

"""Create the Flask application: read the settings, wire the services, register the routes and commands."""

from __future__ import annotations

import atexit
import logging

import click
from flask import Flask
from flask.cli import FlaskGroup, run_command
from flask.helpers import get_debug_flag
from werkzeug.serving import is_running_from_reloader

from webhooks import cli
from webhooks.cli.support import demo_settings
from webhooks.config.environment import require_free_address
from webhooks.config.probable_mistakes import NEW_TOKEN, SHORT_TOKEN, probable_mistakes
from webhooks.config.settings import Settings, doubtful_variables, is_flask_command, load_environment
from webhooks.event import MAX_BYTES
from webhooks.garbage_collection import collect_as_usual
from webhooks.observability import logs
from webhooks.observability.tracing import TRACING
from webhooks.services import Services

log = logging.getLogger(__name__)

# Characters of a password below which it could be guessed.
SHORTEST_PASSWORD = 12


def create_app(settings: Settings | None = None, *, complete: bool = True) -> Flask:
    """Return the application. Without `settings` they are read from the environment and `.env`.

    Raises RuntimeError with everything that is missing for the sign-in to Tableau, or with every error in the rules
    file. Most `flask` commands need neither; `flask run` shows the error as commands do.
    """
    settings = settings or _read_settings()
    logs.configure(**settings.logging())
    if not is_flask_command():
        logs.show_prints_at_once()
    app = Flask("webhooks", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BYTES
    # The router's redirects would name the host that the client claims.
    app.url_map.strict_slashes = app.url_map.merge_slashes = False
    services = app.extensions["webhooks"] = Services(settings)

    if not _only_finds_a_command():
        from webhooks import routes  # noqa: PLC0415 - commands need no routes, and these take a tenth of their start

        routes.register(app, services)
    cli.register(app)
    if not complete:
        check_settings(services)
        services.import_receiver()
    elif not is_flask_command():
        check_startup(services)
    elif (run := click.get_current_context(silent=True)) and run.command is run_command:
        _prepare_flask_run(run, services)
    else:
        # A SQLite inbox that is not closed leaves files behind, which the server may have no right to open.
        atexit.register(services.close)
    return app


def develop(app: Flask) -> None:
    """Run the development server, which reloads changed code, with the worker in the process that serves."""
    services: Services = app.extensions["webhooks"]
    host, port = services.settings.host, services.settings.port
    if is_running_from_reloader():
        services.start_worker()
    else:
        require_free_address(host, port)
    # The settings are read already; Flask would add the env file to the environment in its own way.
    app.run(host, port, use_reloader=True, threaded=True, load_dotenv=False)


def _only_finds_a_command() -> bool:
    """Return whether `flask` creates the application to find one of its commands or to list them."""
    context = click.get_current_context(silent=True)
    return context is not None and isinstance(context.command, FlaskGroup)


def _read_settings() -> Settings:
    if not is_flask_command():
        load_environment()
        return Settings.read()
    try:
        load_environment()
        return demo_settings.read()
    except RuntimeError as error:
        raise click.ClickException(str(error)) from None


def _prepare_flask_run(context: click.Context, services: Services) -> None:
    """Check the settings and start the worker, unless this is the parent of a reloader, which does not serve."""
    try:
        check_startup(services)
    except RuntimeError as error:
        raise click.ClickException(str(error)) from None
    collect_as_usual()
    reloads = get_debug_flag() if context.params["reload"] is None else context.params["reload"]
    if is_running_from_reloader() or not reloads:
        services.start_worker()


def check_startup(services: Services) -> None:
    """Fail at startup instead of at the first event, and log what is probably a mistake. Raises RuntimeError."""
    check_settings(services)
    check_handlers(services)


def check_settings(services: Services) -> None:
    """Check what needs neither rules nor handlers, as `check_startup` does. Raises RuntimeError."""
    services.settings.require_tableau()
    services.settings.require_durable()
    TRACING.configure(enabled=services.settings.traces)
    slack_token = services.settings.notifier_variables()["SLACK_TOKEN"]
    warnings = doubtful_variables() + probable_mistakes(services.sites.all, slack_token=slack_token)
    warnings += check_sign_in(services.settings)
    if not services.settings.webhook_tokens():
        warnings.append("WEBHOOK_TOKEN is empty: anyone who knows the URL can send events")
    elif services.settings.has_short_token():
        warnings.append(f"{SHORT_TOKEN}. {NEW_TOKEN}")
    for warning in warnings:
        log.warning("%s", warning)


def check_handlers(services: Services) -> None:
    """Check rules and handlers, and import what serves requests and runs jobs. Raises RuntimeError."""
    from webhooks.registry import RegistrationError  # noqa: PLC0415 - most commands need neither rules nor handlers
    from webhooks.rules import RulesError  # noqa: PLC0415

    services.import_parts()
    if services.signing_secret:
        from notifiers.slack.interactions import is_signed  # noqa: PLC0415 - only with a signing secret

        # slack_sdk is slow to import, and presses have to be answered at once.
        is_signed(services.signing_secret, b"", "0", "v0=", 0)
    warnings: list[str] = []
    try:
        warnings += [*services.rules.warnings, *(f"handler {one}" for one in services.registry.warnings())]
    except RegistrationError as error:
        raise RuntimeError(str(error)) from error
    except RulesError as error:
        # The rules in force are stored, so a mistake in the file does not keep the server from starting.
        if not services.has_stored_rules():
            raise RuntimeError(str(error)) from error
        log.error("Rules file invalid, the server starts with the rules in force: %s", error.in_one_line)  # noqa: TRY400 - the message lists the errors
    for warning in warnings:
        log.warning("%s", warning)
    services.checked = True


def check_sign_in(settings: Settings) -> list[str]:
    """Return warnings about the sign-in to the pages. Raises RuntimeError if no one could sign in."""
    if settings.oidc_issuer:
        from webhooks.access.openid import problem  # noqa: PLC0415 - an option

        if lack := problem(settings):
            raise RuntimeError(lack)
    password = settings.admin_password.get_secret_value()
    if not settings.requires_sign_in:
        log.info("Pages are served to this machine only: ADMIN_PASSWORD is not set")
    elif 0 < len(password) < SHORTEST_PASSWORD:
        return [f"ADMIN_PASSWORD has fewer than {SHORTEST_PASSWORD} characters and could be guessed"]
    return []

"""`flask listen`: register webhooks, serve and notify until Ctrl-C, then remove the webhooks."""

from __future__ import annotations

import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext

from webhooks.cli.listen import own_inbox, tls
from webhooks.cli.listen.server import bind_listener, run_server
from webhooks.cli.listen.temporary_webhooks import TemporaryWebhooks, default_label, lock_label
from webhooks.cli.support import application, signals, tableau_access
from webhooks.cli.support.commands import Command
from webhooks.cli.support.credentials import complete
from webhooks.cli.support.demo_settings import without_demo
from webhooks.cli.support.exit_codes import Unavailable
from webhooks.config.settings import Settings
from webhooks.config.site import Site
from webhooks.observability import logs
from webhooks.registration import desired_event_types
from webhooks.rules import read_source
from webhooks.rules.conditions import EventFilter
from webhooks.services import Services
from webhooks.text import count

# Handler threads where WORKER_THREADS is 0, which is meant for the permanent server.
THREADS = "4"
# With a certificate, Tableau connects to this server directly.
ALL_ADDRESSES = "0.0.0.0"  # noqa: S104 - intended

# The options that override variables.
OPTIONS = {
    "tableau_domain": click.option("--server", "tableau_domain", help="Tableau's host. [TABLEAU_DOMAIN]"),
    "tableau_sitename": click.option(
        "--site", "tableau_sitename", help="Site, as in its URL; with SITES_FILE, its name there. [TABLEAU_SITENAME]"
    ),
    "tableau_pat_name": click.option("--pat-name", "tableau_pat_name", help="Access token name. [TABLEAU_PAT_NAME]"),
    "tableau_pat_secret": click.option(
        "--pat-secret", "tableau_pat_secret", help="Access token secret. [TABLEAU_PAT_SECRET]"
    ),
    "slack_token": click.option("--slack-token", "slack_token", help="Slack bot token. [SLACK_TOKEN]"),
    "slack_channel": click.option("--slack-channel", "slack_channel", help="Slack channel. [SLACK_CHANNEL]"),
    "host": click.option("--host", help="Address to listen on. Default: HOST; with --cert, all addresses."),
    "port": click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on. [PORT]"),
}


@dataclass(frozen=True, slots=True)
class ListenOptions:
    """The options that are no settings."""

    url: str
    events: tuple[str, ...]
    cert: str | None
    key: str | None
    label: str
    sites: tuple[Site, ...]


def settings_options(command: Any) -> Any:
    """Add OPTIONS to the command, which receives them as keyword arguments."""
    for option in reversed(OPTIONS.values()):
        command = option(command)
    return command


@click.command(cls=Command, logs=True)
@tableau_access.url_option
@click.option("--events", multiple=True, help="Event types or patterns, separated by commas. Default: the rules'.")
@settings_options
@click.option("--cert", type=click.Path(exists=True, dir_okay=False), help="Serve HTTPS with this certificate chain.")
@click.option("--key", type=click.Path(exists=True, dir_okay=False), help="The certificate's key, if in its own file.")
@click.option("--label", help="Prefix of the webhooks' names. Default: tableau-webhooks listen USER@HOST.")
@with_appcontext
def listen(
    *, url: str | None, events: Sequence[str], cert: str | None, key: str | None, label: str | None, **options: Any
) -> None:
    """Serve with temporary webhooks until Ctrl-C.

    Registers webhooks, serves and notifies, and removes the webhooks at the end. Events are handled as the rules file
    says; with --events, each is sent to the default destination: Slack, or this terminal if Slack is not configured.
    Credentials come from options, then from the environment and .env, and are asked for on a terminal.

    Events are stored in an inbox of this command, apart from those of a running server. Use another access token than
    that server: each sign-in with a token invalidates its other sessions.

    \b
    flask listen --url https://x.example.org --events 'Workbook*,*RefreshFailed'
    flask listen --url https://x.example.org --cert chain.pem --key key.pem
    """
    given = {name: value for name, value in options.items() if value is not None}
    if cert and not given.get("host") and "host" not in application.settings().model_fields_set:
        given["host"] = ALL_ADDRESSES
    _use(without_demo(application.settings()))
    # Wrong options are reported before credentials are asked for.
    target = tableau_access.required_webhook_url(url)
    _check_certificate(cert, key)
    site_name = _site_of_sites_file(given)
    label = label or default_label()
    _use(settings := own_inbox.configure(complete(application.settings(), given), label))
    sites = tableau_access.select_sites(site_name)
    names = tuple(name.strip() for text in events for name in text.split(",") if name.strip())
    chosen = ListenOptions(target, names, cert, key, label, sites)
    slack = settings.notifier_variables()
    if names and slack["SLACK_TOKEN"] and not slack["SLACK_CHANNEL"]:
        raise click.UsageError("The Slack channel is not known. Use --slack-channel, or set SLACK_CHANNEL.")
    if cert is None:
        tableau_access.warn_unless_https(chosen.url)
    with lock_label(settings, label):
        _run(settings, chosen)


def _site_of_sites_file(given: dict[str, Any]) -> str | None:
    """Take the site's name out of the options if SITES_FILE defines the sites, and refuse options that it replaces."""
    if not application.settings().sites_file:
        return None
    tableau_access.select_sites(given.get("tableau_sitename"))
    others = [name for name in given if name.startswith("tableau_") and name != "tableau_sitename"]
    if others:
        names = ", ".join(f"--{name.removeprefix('tableau_').replace('_', '-')}" for name in others)
        raise click.UsageError(f"{names.replace('--domain', '--server')} cannot be combined with SITES_FILE.")
    name: str | None = given.pop("tableau_sitename", None)
    return name


def _check_certificate(cert: str | None, key: str | None) -> None:
    if cert is None:
        if key:
            raise click.UsageError("--key requires --cert.")
        return
    try:
        tls.server_context(cert, key)
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or error
        raise click.UsageError(
            f"Cannot use --cert and --key: {reason}. They must be PEM files: the chain with the server's certificate"
            " first, and a key without a password."
        ) from None


def _use(settings: Settings) -> None:
    """Continue with these settings, and redact their secrets."""
    current_app.extensions["webhooks"] = Services(settings)
    logs.configure(**settings.logging())


def _run(settings: Settings, options: ListenOptions) -> None:
    with ExitStack() as stack:
        stack.callback(lambda: application.services().stop())
        stop = stack.enter_context(_stop_signals())
        variables = stack.enter_context(_server_variables(settings, options))
        application.rules()
        # A previous run with this inbox may have put other rules into force.
        source = read_source(application.settings().rules_file)
        versions = application.services().inbox.rule_versions
        versions.activate(source.text, "flask listen", force=True, included=source.included)
        listener = bind_listener(settings.host, settings.port)
        address = f"{settings.host}:{listener.getsockname()[1]}"
        tls_options = [f"--certfile={options.cert}"] if options.cert else []
        tls_options += [f"--keyfile={options.key}"] if options.key else []
        server = run_server(settings, listener, variables, stop, tls_options=tls_options)
        process = stack.enter_context(server)
        if stop.is_set():
            return
        webhooks = stack.enter_context(_registered(options))
        scheme = "https" if options.cert else "http"
        click.echo(f"Listening on {scheme}://{address} for requests to {application.redact_url(options.url)}")
        click.echo(f"Registered {count(len(webhooks.events), 'webhook')}: {', '.join(webhooks.events)}")
        click.echo("Press Ctrl-C to remove them and stop.")
        _test_in_background(webhooks, stop)
        while not stop.wait(0.2):
            if process.poll() is not None:
                raise Unavailable("The server stopped unexpectedly; its log above says why.")
        click.echo("Stopping …")


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C, SIGTERM, and a closed terminal set."""
    with signals.stop_on_signals() as stop:
        previous = signal.signal(signal.SIGHUP, lambda *_: stop.set())
        try:
            yield stop
        finally:
            signal.signal(signal.SIGHUP, previous)


@contextmanager
def _server_variables(settings: Settings, options: ListenOptions) -> Iterator[Mapping[str, str]]:
    """Yield the server's variables that are no settings of this command; with --events, generate its rules."""
    variables = {} if settings.worker_threads else {"WORKER_THREADS": THREADS}
    if not options.events:
        yield variables
        return
    with tempfile.TemporaryDirectory(prefix="listen-") as folder:
        file = Path(folder) / "rules.toml"
        file.write_text(own_inbox.rules_for(options.events), encoding="utf-8")
        _use(settings.model_copy(update={"rules_file": file}))
        yield {**variables, "RULES_FILE": str(file)}


@contextmanager
def _registered(options: ListenOptions) -> Iterator[TemporaryWebhooks]:
    """Register the webhooks, and remove them on exit. Raise Failure if Tableau refuses one."""
    services = application.services()
    events = desired_event_types([EventFilter(options.events)]) if options.events else services.desired_event_types()
    webhooks = TemporaryWebhooks(services, options.sites, options.label, events)
    try:
        for site in options.sites:
            with tableau_access.client_for(site) as tableau:
                webhooks.register(site, tableau, options.url)
        yield webhooks
    finally:
        error = webhooks.remove()
        if error:
            text = f"{application.redact(error)} The next `flask listen` removes them."
            click.secho(text, fg="yellow", err=True)
        else:
            click.echo("Removed the webhooks.")


def _test_in_background(webhooks: TemporaryWebhooks, stop: threading.Event) -> None:
    """Let Tableau call one webhook: it may take seconds to find out that it cannot."""

    def test() -> None:
        error = webhooks.test()
        if error and not stop.is_set():
            click.secho(application.redact(error), fg="yellow", err=True)

    threading.Thread(target=test, name="webhook test", daemon=True).start()

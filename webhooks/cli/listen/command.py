"""`flask listen`: registers webhooks, serves, tells people, and takes its webhooks away again at the end."""

from __future__ import annotations

import signal
import ssl
import subprocess
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

from webhooks import logs
from webhooks.cli.listen.registered import Registered, alone, rules_for, whose
from webhooks.cli.listen.tls import Front, context
from webhooks.cli.support import application, signals, tableau_access
from webhooks.cli.support.commands import Command
from webhooks.cli.support.credentials import complete
from webhooks.cli.support.demo_settings import apart
from webhooks.cli.support.exit_codes import Unavailable
from webhooks.cli.support.server_process import bound, serving
from webhooks.config.settings import Settings
from webhooks.config.site import Site
from webhooks.registration import desired_event_types
from webhooks.rules.conditions import EventFilter
from webhooks.services import Services
from webhooks.views import formats

THREADS = "4"
"""Where WORKER_THREADS is 0, which is said to the server."""
EVERYWHERE = "0.0.0.0"  # noqa: S104 — with a certificate of its own it is Tableau that has to come in

OPTIONS = {
    "tableau_domain": click.option("--server", "tableau_domain", help="Tableau's host. [TABLEAU_DOMAIN]"),
    "tableau_sitename": click.option(
        "--site", "tableau_sitename", help="The site, as in its address; with SITES_FILE its name there."
    ),
    "tableau_pat_name": click.option("--pat-name", "tableau_pat_name", help="Personal access token. [TS_PAT_NAME]"),
    "tableau_pat_secret": click.option("--pat-secret", "tableau_pat_secret", help="Its secret. [TS_PAT_SECRET]"),
    "slack_token": click.option("--slack-token", "slack_token", help="Slack's bot token. [SLACK_TOKEN]"),
    "slack_channel": click.option("--slack-channel", "slack_channel", help="Where messages go. [SLACK_CHANNEL]"),
    "host": click.option("--host", help="Address to listen on. Default: HOST; with --cert all addresses."),
    "port": click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on. [PORT]"),
}
"""The options that stand for variables."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for besides settings."""

    url: str
    events: tuple[str, ...]
    tls: ssl.SSLContext | None
    label: str
    sites: tuple[Site, ...]


def settings_options(command: Any) -> Any:
    """Adds OPTIONS; they arrive as one mapping `given` of those that were used."""
    for option in reversed(OPTIONS.values()):
        command = option(command)
    return command


@click.command(cls=Command)
@click.option("--url", help="Our address as Tableau sees it; without a path /webhook/<token> is added. [WEBHOOK_URL]")
@click.option("--events", multiple=True, help="Event types or patterns, with commas; told to the default destination.")
@settings_options
@click.option("--cert", type=click.Path(exists=True, dir_okay=False), help="Serve HTTPS with this certificate chain.")
@click.option("--key", type=click.Path(exists=True, dir_okay=False), help="The certificate's key, if in its own file.")
@click.option("--label", help="What the webhooks' names begin with. Default: tableau-webhooks listen USER@HOST.")
@with_appcontext
def listen(
    *, url: str | None, events: Sequence[str], cert: str | None, key: str | None, label: str | None, **options: Any
) -> None:
    """Register webhooks, serve, and clean up at the end.

    Until Ctrl-C or SIGTERM events are received and told to people. Without --events the rules file says which events
    and to whom; with it they all go to Slack, or to this terminal where there is no Slack. Credentials come from
    options, then from the environment and .env, and are asked for on a terminal.

    \b
    flask listen --url https://my-tunnel.example.org --events 'Workbook*,*RefreshFailed'
    flask listen --url https://this-machine.example.org --cert chain.pem --key key.pem --port 443
    """
    given = {name: value for name, value in options.items() if value is not None}
    if cert and not given.get("host") and "host" not in application.settings().model_fields_set:
        given["host"] = EVERYWHERE
    site_name = _one_of_several(given)
    settings = _take_over(complete(apart(application.settings()), given))
    sites = tableau_access.chosen(site_name)
    wish = Wish(tableau_access.our_url(url), _split(events), _tls(cert, key), label or whose(), sites)
    slack = settings.notifier_variables()
    if wish.events and slack["SLACK_TOKEN"] and not slack["SLACK_CHANNEL"]:
        raise click.UsageError("Where in Slack? Give --slack-channel, or set SLACK_CHANNEL.")
    if cert is None:
        tableau_access.warn_of(wish.url)
    with alone(settings, wish.label):
        _run(settings, wish)


def _one_of_several(given: dict[str, Any]) -> str | None:
    """With SITES_FILE `--site` names one of its sites, and everything else about Tableau stands there."""
    if not application.settings().sites_file:
        return None
    tableau_access.chosen(given.get("tableau_sitename"))
    if beside := [name for name in given if name.startswith("tableau_") and name != "tableau_sitename"]:
        options = ", ".join(f"--{name.removeprefix('tableau_').replace('_', '-')}" for name in beside)
        raise click.UsageError(f"SITES_FILE says what {options.replace('--domain', '--server')} would; leave it out.")
    name: str | None = given.pop("tableau_sitename", None)
    return name


def _split(events: Sequence[str]) -> tuple[str, ...]:
    return tuple(name.strip() for text in events for name in text.split(",") if name.strip())


def _tls(cert: str | None, key: str | None) -> ssl.SSLContext | None:
    if cert is None:
        if key:
            raise click.UsageError("--key needs --cert.")
        return None
    try:
        return context(cert, key)
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or error
        raise click.UsageError(
            f"--cert and --key cannot be used: {reason}. PEM files, the chain with our certificate first, a key without"
            " a password."
        ) from None


def _take_over(settings: Settings) -> Settings:
    """From here on the command works with these settings, and hides their secrets."""
    current_app.extensions["webhooks"] = Services(settings)
    logs.configure(debug=settings.flask_env == "development", secrets=settings.secrets())
    return settings


def _run(settings: Settings, wish: Wish) -> None:
    with ExitStack() as stack:
        stack.callback(application.services().stop)
        stop = stack.enter_context(_signals())
        more = stack.enter_context(_variables(settings, wish))
        application.rules()
        public = bound(settings.host, settings.port)
        address = f"{settings.host}:{public.getsockname()[1]}"
        process = stack.enter_context(_served(settings, wish, public, more, stop))
        if stop.is_set():
            return
        registered = stack.enter_context(_registered(wish))
        _welcome(registered, wish, address)
        _try(registered, stop)
        _wait(process, stop)


@contextmanager
def _signals() -> Iterator[threading.Event]:
    """Set by Ctrl-C, by SIGTERM, and when the terminal is closed."""
    with signals.stop_on_signals() as stop:
        before = signal.signal(signal.SIGHUP, lambda *_: stop.set())
        try:
            yield stop
        finally:
            signal.signal(signal.SIGHUP, before)


@contextmanager
def _variables(settings: Settings, wish: Wish) -> Iterator[Mapping[str, str]]:
    """What the server is told besides the settings; with --events also rules of their own."""
    more = {} if settings.worker_threads else {"WORKER_THREADS": THREADS}
    if not wish.events:
        yield more
        return
    with tempfile.TemporaryDirectory(prefix="listen-") as folder:
        file = Path(folder) / "rules.toml"
        file.write_text(rules_for(wish.events), encoding="utf-8")
        _take_over(settings.model_copy(update={"rules_file": file}))
        yield {**more, "RULES_FILE": str(file)}


@contextmanager
def _served(
    settings: Settings, wish: Wish, public: Any, more: Mapping[str, str], stop: threading.Event
) -> Iterator[subprocess.Popen[bytes]]:
    """The server, ready; with a certificate it stands behind a front that speaks HTTPS."""
    if wish.tls is None:
        with serving(settings, public, more, stop.is_set) as process:
            yield process
        return
    inner = bound("127.0.0.1", 0)
    port = inner.getsockname()[1]
    with serving(settings, inner, more, stop.is_set) as process:
        front = Front(public, wish.tls, port)
        front.start()
        try:
            yield process
        finally:
            front.stop()


@contextmanager
def _registered(wish: Wish) -> Iterator[Registered]:
    """The webhooks, made or found; removed at the end, whatever ends it. Ends the command where Tableau refuses."""
    services = application.services()
    events = desired_event_types([EventFilter(wish.events)]) if wish.events else services.wanted()
    registered = Registered(services, wish.sites, wish.label, events)
    try:
        for site in wish.sites:
            with tableau_access.asking(site) as tableau:
                registered.make(site, tableau, wish.url)
        yield registered
    finally:
        left = registered.remove()
        if left:
            click.secho(f"{application.redact(left)} The next flask listen takes them over.", fg="yellow", err=True)
        else:
            click.echo("The webhooks are removed.")


def _welcome(registered: Registered, wish: Wish, address: str) -> None:
    click.echo(
        f"Listening on {'https' if wish.tls else 'http'}://{address}, events come to {application.redact_url(wish.url)}"
    )
    click.echo(f"{formats.count(len(registered.events), 'webhook')}: {', '.join(registered.events)}")
    click.echo("Ctrl-C removes them and ends.")


def _try(registered: Registered, stop: threading.Event) -> None:
    """Lets Tableau call one webhook, beside everything else: it may take seconds to find out that it cannot."""

    def tell() -> None:
        problem = registered.problem()
        if problem and not stop.is_set():
            click.secho(application.redact(problem), fg="yellow", err=True)

    threading.Thread(target=tell, name="test", daemon=True).start()


def _wait(process: subprocess.Popen[bytes], stop: threading.Event) -> None:
    while not stop.wait(0.2):
        if process.poll() is not None:
            raise Unavailable("The server ended by itself; its log is above.")
    click.echo("Ending …")

"""Access to Tableau for commands: the sites, their clients, and how Tableau's errors end a command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from tableau_rest import ConnectionFailed, TableauError
from tableau_rest.models import Webhook
from webhooks.cli.support import application
from webhooks.cli.support.demo_settings import is_demo
from webhooks.cli.support.exit_codes import Failure, Unavailable
from webhooks.config.site import Site
from webhooks.spelling import hint
from webhooks.webhook_url import public_url

if TYPE_CHECKING:
    from tableau_rest import Tableau

# Statuses of a Tableau, or a gateway before it, that is down for now.
TEMPORARY = (502, 503, 504)

site_option = click.option("--site", "site_name", metavar="NAME", help="One site of SITES_FILE. Default: all sites.")
url_option = click.option(
    "--url", help="This server's public URL; without a path, /webhook/<token> is added. [WEBHOOK_URL]"
)


def select_sites(name: str | None) -> tuple[Site, ...]:
    """Return the site of that name, or all sites if it is None.

    Raise Unavailable if credentials are missing or SITES_FILE is invalid, BadParameter if there is no such site.
    """
    try:
        application.settings().require_tableau()
    except RuntimeError as error:
        raise Unavailable(str(error)) from None
    sites = application.services().sites.all
    if name is None:
        return sites
    found = tuple(site for site in sites if name.casefold() in {site.name.casefold(), site.key.casefold()})
    if not found:
        names = [site.name for site in sites if site.name]
        advice = hint(name, names) if names else "SITES_FILE is not set, so the only site is that of TABLEAU_SITENAME"
        raise click.BadParameter(f"Unknown site {name!r}; {advice}.", param_hint="--site")
    return found


def select_site(name: str | None) -> Site:
    """Return the site of that name, or the only one. Raise UsageError if there are several."""
    sites = select_sites(name)
    if len(sites) > 1:
        raise click.UsageError(f"Choose a site with --site: {', '.join(site.name for site in sites)}.")
    return sites[0]


def for_each_site(name: str | None, work: Callable[[Site, Tableau], None]) -> None:
    """Call `work` for the site of that name, or for all sites.

    A site that fails does not stop the others. The first failure is raised after the last site; the others are shown.
    """
    failures: list[Failure] = []
    for site in select_sites(name):
        try:
            with client_for(site) as tableau:
                work(site, tableau)
        except Failure as failure:
            failures.append(failure)
    for further in failures[1:]:
        further.show()
    if failures:
        raise failures[0]


@contextmanager
def client_for(site: Site) -> Iterator[Tableau]:
    """Yield the site's client, and turn its errors into Failure or, if Tableau may recover, Unavailable."""
    application.inbox(create=True)
    try:
        yield application.services().client(site)
    except (TableauError, ValueError) as error:
        temporary = isinstance(error, ConnectionFailed) or getattr(error, "status", None) in TEMPORARY
        raise (Unavailable if temporary else Failure)(prefix_site(site, application.redact(str(error)))) from None
    except RuntimeError as error:
        if isinstance(error, click.exceptions.Exit | click.Abort):
            raise
        raise Unavailable(str(error)) from None


def prefix_site(site: Site, text: str) -> str:
    """Return the text, preceded by the site's name if there are several sites."""
    return f"{site.name}: {text}" if application.services().sites.several else text


def required_webhook_url(given: str | None) -> str:
    """Return the URL that Tableau should call: `--url`, or else WEBHOOK_URL or that of the demo.

    Raise UsageError if there is none.
    """
    settings = application.settings()
    url = given or settings.webhook_url
    if not url and is_demo(settings):
        url = f"http://127.0.0.1:{settings.port}"
    if not url:
        raise click.UsageError("The public URL is not known. Use --url https://…, or set WEBHOOK_URL.")
    try:
        return public_url(url, next(iter(settings.webhook_tokens()), ""))
    except ValueError as error:
        if not given:
            raise Unavailable(f"WEBHOOK_URL: {error}.") from None
        raise click.BadParameter(str(error), param_hint="--url") from None


def warn_unless_https(url: str) -> None:
    """Warn about a URL that Tableau may refuse to call; the simulated one of the demo does not."""
    if not url.startswith("https://") and not is_demo(application.settings()):
        click.secho("Tableau requires https with a certificate that it trusts.", fg="yellow", err=True)


def find_webhook(site_name: str | None, webhook: str) -> tuple[Site, Webhook]:
    """Return the webhook with that LUID or name. Raise Failure unless exactly one of the sites' webhooks matches."""
    matches: list[tuple[Site, Webhook]] = []

    def collect(site: Site, tableau: Tableau) -> None:
        matches.extend((site, found) for found in tableau.webhooks() if webhook in {found.luid, found.name})

    for_each_site(site_name, collect)
    if not matches:
        raise Failure(f"Webhook {webhook!r} not found. `flask webhooks list` shows all webhooks.")
    if len(matches) > 1:
        luids = ", ".join(found.luid for _, found in matches)
        raise Failure(f"{len(matches)} webhooks have the name {webhook!r}. Use the LUID: {luids}")
    return matches[0]


def site_field(site: Site) -> dict[str, str]:
    """Return the field that names the site in JSON; empty if the sites have no names."""
    return {"site": site.name} if site.name else {}

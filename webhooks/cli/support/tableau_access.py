"""What commands that speak with Tableau have in common: the client, and how its errors end a command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from tableau_rest import ConnectionFailed, TableauError
from tableau_rest.models import Webhook
from webhooks.cli.support import application
from webhooks.cli.support.exit_codes import Failure, Unavailable
from webhooks.config.site import Site
from webhooks.spelling import hint
from webhooks.webhook_url import public_url

if TYPE_CHECKING:
    from tableau_rest import Tableau

TEMPORARY = (502, 503, 504)


SITE = click.option("--site", "site_name", metavar="NAME", help="One site of SITES_FILE. Default: all of them.")


def chosen(name: str | None) -> tuple[Site, ...]:
    """The site of that name, or all of them. Ends the command where there is none, or SITES_FILE has a fault."""
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
        there = hint(name, names) if names else "SITES_FILE is not set, so there is only the one of TABLEAU_SITENAME"
        raise click.BadParameter(f"{name!r} is not one of the sites; {there}", param_hint="--site")
    return found


def one(name: str | None) -> Site:
    """The site of that name, or the only one. Ends the command where it could be several."""
    sites = chosen(name)
    if len(sites) > 1:
        raise click.UsageError(f"Which site? Give --site: {', '.join(site.name for site in sites)}.")
    return sites[0]


def over(name: str | None, work: Callable[[Site, Tableau], None]) -> None:
    """Does `work` for the site of that name, or for all. A site that fails does not stop the others; the first failure
    ends the command once they are done."""
    failures: list[Failure] = []
    for site in chosen(name):
        try:
            with asking(site) as tableau:
                work(site, tableau)
        except Failure as failure:
            failures.append(failure)
    for other in failures[1:]:
        other.show()
    if failures:
        raise failures[0]


@contextmanager
def asking(site: Site) -> Iterator[Tableau]:
    """Tableau, signed in when first asked. Ends the command where something is missing or Tableau refuses."""
    application.inbox(create=True)
    try:
        yield application.services().client(site)
    except (TableauError, ValueError) as error:
        away = isinstance(error, ConnectionFailed) or getattr(error, "status", None) in TEMPORARY
        raise (Unavailable if away else Failure)(of_site(site, application.redact(str(error)))) from None
    except RuntimeError as error:
        if isinstance(error, click.exceptions.Exit | click.Abort):
            raise
        raise Unavailable(str(error)) from None


def of_site(site: Site, text: str) -> str:
    """The text, with the site's name before it where there are several."""
    return f"{site.name}: {text}" if application.services().sites.several else text


def our_url(given: str | None) -> str:
    """The hook's URL that Tableau is to be told: `--url`, or else WEBHOOK_URL. Ends the command where there is none."""
    settings = application.settings()
    url = given or settings.webhook_url
    if not url:
        raise click.UsageError("Which address? Give --url https://…, or set WEBHOOK_URL.")
    try:
        return public_url(url, next(iter(settings.webhook_tokens()), ""))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--url") from None


def warn_of(url: str) -> None:
    """Says what Tableau will not like about the URL."""
    if not url.startswith("https://"):
        click.secho("Tableau asks for https with a certificate that it trusts.", fg="yellow", err=True)


def find(site_name: str | None, webhook: str) -> tuple[Site, Webhook]:
    """The webhook of that LUID or name, on one of the sites; ends the command where there is not exactly one."""
    matching: list[tuple[Site, Webhook]] = []

    def look(site: Site, tableau: Tableau) -> None:
        matching.extend((site, one) for one in tableau.webhooks() if webhook in {one.luid, one.name})

    over(site_name, look)
    found = [one for _, one in matching]
    if not found:
        raise Failure(f"There is no webhook {webhook!r}. flask webhooks list shows those there are.")
    if len(found) > 1:
        raise Failure(
            f"{len(found)} webhooks are called {webhook!r}; give the LUID: {', '.join(one.luid for one in found)}"
        )
    return matching[0]
